using System.Collections.Immutable;

namespace RemoteExec.Protocol;

/// <summary>
/// The outputs of a command in one form, whichever generation of fields the client used. <c>output_paths</c> wins and
/// silences the two old lists (REAPI X5), so no output is reported twice.
/// </summary>
public sealed class OutputSpec
{
    // TRUST 4.1 asks for a budget; the largest commands of real builds announce a few thousand.
    private const int PathsMax = 100_000;

    private OutputSpec(ImmutableArray<OutputPath> paths, bool isLegacy) => (Paths, IsLegacy) = (paths, isLegacy);

    public ImmutableArray<OutputPath> Paths { get; }

    /// <summary>The client speaks 2.0: symlinks are also reported in the two old lists (REAPI X8).</summary>
    public bool IsLegacy { get; }

    /// <summary>
    /// Directories, relative to the input root, that exist before the command starts: the parents of all outputs, and nothing at the
    /// place of an output itself (REAPI X5). Sorted, without the root.
    /// </summary>
    /// <param name="withOutputDirectories">For a client whose rules count on it (<see cref="OutputHabits"/>).</param>
    public IReadOnlyCollection<string> DirectoriesToCreate(bool withOutputDirectories)
    {
        var directories = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var output in Paths)
        {
            int slash = output.RootPath.LastIndexOf('/');
            if (slash > 0) directories.Add(output.RootPath[..slash]);
            if (withOutputDirectories && output is { Kind: OutputKind.Directory, RootPath.Length: > 0 }) directories.Add(output.RootPath);
        }

        return directories;
    }

#pragma warning disable CS0612 // output_files and output_directories are deprecated on the wire and alive in clients.
    /// <summary>The answer is what is wrong, or null. <paramref name="workingDirectory"/> is resolved already.</summary>
    internal static string? TryCreate(WireCommand command, string workingDirectory, out OutputSpec spec)
    {
        bool isLegacy = command.OutputPaths.Count == 0;
        spec = new OutputSpec([], isLegacy);
        int count = isLegacy ? command.OutputFiles.Count + command.OutputDirectories.Count : command.OutputPaths.Count;
        if (count > PathsMax) return $"the command announces more than {PathsMax} outputs";

        var paths = ImmutableArray.CreateBuilder<OutputPath>(count);
        string? error = isLegacy
            ? Add(paths, command.OutputFiles, OutputKind.File, workingDirectory)
                ?? Add(paths, command.OutputDirectories, OutputKind.Directory, workingDirectory)
            : Add(paths, command.OutputPaths, OutputKind.Any, workingDirectory);
        error ??= CheckNesting(paths);
        if (error is null) spec = new OutputSpec(paths.DrainToImmutable(), isLegacy);
        return error;
    }
#pragma warning restore CS0612

    private static string? Add(
        ImmutableArray<OutputPath>.Builder paths, IEnumerable<string> wire, OutputKind kind, string workingDirectory)
    {
        foreach (string path in wire)
        {
            // The empty string is the whole working directory (REAPI X7), which is never a file.
            if (path.Length == 0 && kind == OutputKind.File) return "an output file has an empty path";
            // A directory may be called so, the working directory among them; a file has one spelling only.
            if (kind == OutputKind.File && path.Split('/').Contains(".")) return $"the path '{path}' of an output file has an element '.'";
            if (!ActionPath.TryResolve(workingDirectory, path, out string resolved, out string? error)) return error;

            paths.Add(new OutputPath(path, resolved, kind));
        }

        return null;
    }

    private static string ListOf(OutputPath output) => output.Kind switch
    {
        OutputKind.File => "output_files",
        OutputKind.Directory => "output_directories",
        _ => "output_paths",
    };

    /// <summary>No place twice, and nothing below a file. Directories may nest.</summary>
    private static string? CheckNesting(ImmutableArray<OutputPath>.Builder paths)
    {
        var places = new Dictionary<string, OutputPath>(paths.Count, StringComparer.Ordinal);
        foreach (var output in paths)
        {
            if (!places.TryAdd(output.RootPath, output))
                return $"the output '{output.Path}' of {ListOf(output)} is announced twice, first as '{places[output.RootPath].Path}' of {ListOf(places[output.RootPath])}: leave out one of them";
        }

        foreach (var output in paths)
        {
            for (int slash = output.RootPath.LastIndexOf('/'); slash > 0; slash = output.RootPath.LastIndexOf('/', slash - 1))
            {
                if (places.TryGetValue(output.RootPath[..slash], out var above) && above.Kind == OutputKind.File)
                    return $"the output '{output.Path}' is below the output file '{output.RootPath[..slash]}'";
            }
        }

        return null;
    }
}
