using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// Turns what an action left into an ActionResult: survey, import every file, describe directories as Trees.
/// Everything named in the result is durable in the local store when this returns (REAPI X16).
/// </summary>
/// <param name="mayTakeFiles">
/// Every process of the action is dead, so its files may become blobs as they are; otherwise they are copied.
/// </param>
internal sealed class OutputCollector(ILocalBlobStore store, OutputLimits limits, Func<TreeLimits> trees, bool mayTakeFiles)
{
    // Imports in flight: each ends in a flush, and the store makes one flush serve many.
    private const int ImportsMax = 32;

    /// <summary>
    /// Fills the output fields of <paramref name="result"/>; answers the blobs that it names, and what of the action's own doing kept an
    /// output from being one: the others are worth having all the same.
    /// </summary>
    public async ValueTask<CollectedOutputs> CollectAsync(
        string rootPath, CommandSpec command, DigestFunction function, ActionResult result, CancellationToken cancellationToken)
    {
        var collected = new CollectedOutputs();
        if (command.Outputs.Paths.IsEmpty) return collected;

        await UnlessBadAsync(collected, () => CollectAsync(rootPath, command, function, result, collected, cancellationToken));
        return collected;
    }

    private async ValueTask CollectAsync(
        string rootPath, CommandSpec command, DigestFunction function, ActionResult result, CollectedOutputs collected, CancellationToken cancellationToken)
    {
        using var root = DirectoryHandle.Open(rootPath);
        var survey = new OutputSurvey(root, limits, trees());
        var found = new List<(OutputPath Output, OutputNode Node)>();
        foreach (var output in command.Outputs.Paths)
        {
            try
            {
                if (survey.Look(output) is not { } node) continue;
                CheckKind(output, node);
                found.Add((output, node));
            }
            catch (Exception bad) when (IsActions(bad))
            {
                collected.Refuse(bad);
            }
        }

        // What lies in a place that was refused is nobody's.
        var files = collected.Bad is null ? survey.Files : [.. found.SelectMany(each => each.Node.Files).DistinctBy(file => file.Path)];
        await ImportFilesAsync(root, files, function, cancellationToken);
        bool isWhole = files.TrueForAll(file => file.Bad is null);
        foreach (var file in files)
        {
            if (file.Bad is null) collected.Add(file.Digest, cancelled => ImportAgainAsync(rootPath, file, function, cancelled));
        }

        foreach (var (output, node) in found)
        {
            if (!isWhole && node.Files.FirstOrDefault(file => file.Bad is not null)?.Bad is { } unreadable) collected.Refuse(unreadable);
            else await UnlessBadAsync(collected, () => TellAsync(output, node, command, function, result, collected, cancellationToken));
        }
    }

    private static async ValueTask UnlessBadAsync(CollectedOutputs collected, Func<ValueTask> collect)
    {
        try
        {
            await collect();
        }
        catch (Exception bad) when (IsActions(bad))
        {
            collected.Refuse(bad);
        }
    }

    private static bool IsActions(Exception bad) => BlameTable.Of(Stage.Take, Failure.KindOf(bad)) == Blame.Action;

    private async ValueTask TellAsync(
        OutputPath output, OutputNode node, CommandSpec command, DigestFunction function, ActionResult result, CollectedOutputs collected,
        CancellationToken cancellationToken)
    {
        switch (node)
        {
            case OutputFileNode file:
                result.OutputFiles.Add(new OutputFile
                {
                    Path = output.Path,
                    Digest = file.Digest.ToWire(),
                    IsExecutable = file.IsExecutable,
                    NodeProperties = file.Attributes.ToWire(command),
                });
                break;
            case OutputSymlinkNode link:
                AddSymlink(result, output, link, command);
                break;
            case OutputDirectoryNode directory:
                result.OutputDirectories.Add(
                    await StoreDirectoryAsync(output, directory, command, function, collected, cancellationToken));
                break;
        }
    }

    // REAPI X6: the old lists promise a kind.
    private static void CheckKind(OutputPath output, OutputNode node)
    {
        string? mismatch = (output.Kind, node) switch
        {
            (OutputKind.File, OutputDirectoryNode) => "is a directory, and was announced as a file",
            (OutputKind.File, OutputSymlinkNode { LeadsToDirectory: true }) => "is a symbolic link to a directory, and was announced as a file",
            (OutputKind.Directory, OutputFileNode) => "is a file, and was announced as a directory",
            (OutputKind.Directory, OutputSymlinkNode { LeadsToDirectory: false }) => "is a symbolic link to no directory, and was announced as a directory",
            _ => null,
        };
        if (mismatch is not null)
            throw RpcErrors.Of(StatusCode.FailedPrecondition, $"the output {Printable.Quote(output.Path)} {mismatch}");
    }

    private async ValueTask ImportFilesAsync(
        DirectoryHandle root, List<OutputFileNode> files, DigestFunction function, CancellationToken cancellationToken)
    {
        if (files.Count == 1)
        {
            await TryImportFileAsync(root, files[0], function, cancellationToken);
        }
        else
        {
            var imports = new ParallelOptions { MaxDegreeOfParallelism = ImportsMax, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(files, imports, (file, cancelled) => TryImportFileAsync(root, file, function, cancelled));
        }
    }

    private async ValueTask ImportAgainAsync(string rootPath, OutputFileNode file, DigestFunction function, CancellationToken cancellationToken)
    {
        var told = file.Digest;
        using var root = DirectoryHandle.Open(rootPath);
        await ImportFileAsync(root, file, function, cancellationToken);
        if (file.Digest != told)
            throw RpcErrors.Of(StatusCode.FailedPrecondition, $"the output {Printable.Quote(file.Path)} was altered while it was collected");
    }

    private async ValueTask TryImportFileAsync(
        DirectoryHandle root, OutputFileNode file, DigestFunction function, CancellationToken cancellationToken)
    {
        try
        {
            await ImportFileAsync(root, file, function, cancellationToken);
        }
        catch (Exception bad) when (IsActions(bad))
        {
            file.Bad = bad;
        }
    }

    private async ValueTask ImportFileAsync(
        DirectoryHandle root, OutputFileNode file, DigestFunction function, CancellationToken cancellationToken)
    {
        if (file.SizeBytes == 0)
        {
            file.Digest = Digest.Empty(function); // always present, never stored (REAPI D2)
            return;
        }

        using var handle = OutputSurvey.Readable(file.Path, () => root.TryOpenFile(FileName.From(file.Path)))
            ?? throw RpcErrors.Of(StatusCode.FailedPrecondition, $"the output {Printable.Quote(file.Path)} vanished while it was collected");
        file.Digest = mayTakeFiles
            ? await store.TakeFileAsync(function, handle, cancellationToken)
            : await store.ImportFileAsync(function, handle, cancellationToken);
    }

    private static void AddSymlink(ActionResult result, OutputPath output, OutputSymlinkNode link, CommandSpec command)
    {
        var symlink = new OutputSymlink { Path = output.Path, Target = link.Target, NodeProperties = link.Attributes.ToWire(command) };
        // REAPI X8: clients of 2.1 read output_symlinks, older ones the two lists by kind.
        if (!command.Outputs.IsLegacy) result.OutputSymlinks.Add(symlink);
        bool asDirectory = output.Kind == OutputKind.Directory || (output.Kind == OutputKind.Any && link.LeadsToDirectory);
#pragma warning disable CS0612 // deprecated on the wire, and all that clients of 2.0 read
        if (asDirectory) result.OutputDirectorySymlinks.Add(symlink);
        else result.OutputFileSymlinks.Add(symlink);
#pragma warning restore CS0612
    }

    private async ValueTask<OutputDirectory> StoreDirectoryAsync(
        OutputPath output, OutputDirectoryNode directory, CommandSpec command, DigestFunction function,
        CollectedOutputs collected, CancellationToken cancellationToken)
    {
        var tree = OutputTree.Build(directory, command, function);
        bool asDirectories = command.WantsDirectories;
        if (tree.FindExcess(trees(), asDirectories) is { } excess)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the output {Printable.Quote(output.Path)} {excess}");

        // The Tree is stored whatever the format: the completeness check of the action cache reads it (REAPI X10).
        var blobs = new List<(Digest Digest, ReadOnlyMemory<byte> Data)> { (tree.TreeDigest, tree.TreeBytes) };
        if (asDirectories)
        {
            foreach (var (digest, bytes) in tree.Directories)
                blobs.Add((digest, bytes));
        }

        var statuses = await store.WriteManyAsync(blobs, cancellationToken);
        foreach (var status in statuses)
        {
            if (status.StatusCode != StatusCode.OK) throw new RpcException(status);
        }
        foreach (var (digest, bytes) in blobs)
            collected.Add(digest, async cancelled => await store.WriteAllAsync(function, bytes, cancelled));

        return new OutputDirectory
        {
            Path = output.Path,
            TreeDigest = tree.TreeDigest.ToWire(),
            IsTopologicallySorted = true,
            // It promises the directories as blobs of their own, so it is set only where they are (REAPI X10).
            RootDirectoryDigest = asDirectories ? tree.RootDigest.ToWire() : null,
        };
    }
}
