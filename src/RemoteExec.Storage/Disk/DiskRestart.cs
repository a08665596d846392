namespace RemoteExec.Storage;

/// <summary>What a store begins with: its directory, taken for this process, and all that earlier runs left there.</summary>
internal sealed record DiskRestart(
    BlobFiles Files, SegmentSet Segments, BlobIndex Index, UseLog Uses, DiskWriteHealth WriteHealth, SteadyTime Time, bool HasUnflushedFiles)
{
    /// <inheritdoc cref="DiskBlobStore.OpenAsync"/>
    public static async Task<DiskRestart> ReadAsync(DiskBlobStoreOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        var files = BlobFiles.Open(options.Directory, options.Disk);
        SegmentSet? segments = null;
        try
        {
            var index = new BlobIndex(options.LimitBytes, options.Retention, options.UseGranularity);
            var restart = index.Restart();
            var history = UseRecords.Read(files.UseLogPath, options.Disk, restart);
            var time = history.Continue(clock);
            var health = new DiskWriteHealth(options.WriteFaultChanged, time);
            bool areFilesSure = history.Ending != UseLogEnding.Unknown;
            segments = SegmentSet.Open(files.SegmentsPath, options.Disk);
            var found = new SegmentRestart(
                segments, files, restart, options.PackedBytesMax, options.Disk, isLossNew: !areFilesSure, LossNote.IsThere(files.LossNotePath));
            found.TakeSegments();
            var inFiles = await new BlobFileScan(files, isVouchedFor: areFilesSure ? restart.Remembers : null).ReadAsync(cancellationToken);
            foreach (var shard in inFiles) found.Take(shard);
            found.Finish();
            // Before the log says that it is of this boot.
            bool isNoted = areFilesSure || !restart.HasUnsure || LossNote.TryMake(files.LossNotePath, options.Disk);

            var uses = UseLog.Open(
                files.UseLogPath, history, options.Disk, time,
                refused: failure => health.Failed(StorageErrors.FromErrno(failure.HResult, "recording a use", files.Root)));
            restart.Finish(history, options.Retention, options.UseGranularity, time.GetUtcNow());
            uses.Expect(restart.Count);
            uses.Claims = segments.Claims;
            if (!isNoted) uses.Doubt(); // the next run finds out about it as this one did
            index.RecordTo(uses);
            // The old log goes on, as if there had been no end. Of another boot it is good for the order alone, and what this run promises has to
            // survive it. On a full disk it goes on all the same: a restart is no reason to refuse reads.
            if (!history.IsOfThisBoot) _ = uses.TryRewrite(index);
            // A killed run may have made files and not flushed them; whatever they are, an orderly end vouches for them.
            return new DiskRestart(files, segments, index, uses, health, time, HasUnflushedFiles: history.Ending == UseLogEnding.Killed);
        }
        catch (IOException failed)
        {
            segments?.Dispose();
            files.Dispose();
            throw new StorageDirectoryException($"The data directory {files.Root} cannot be read: {failed.Message}", failed);
        }
        catch
        {
            segments?.Dispose();
            files.Dispose();
            throw;
        }
    }
}
