using Microsoft.Data.Sqlite;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>
/// Our segments against an embedded database as a store of small blobs: 100 × 1 KiB a transaction, flushed before it is answered, and reads of 100 by
/// their digests. Hashing, promises and the reading of checksums are in our figures alone.
/// </summary>
internal sealed class EnginesBenchmark : IBenchmark
{
    private const int Blobs = 100;
    private const int SizeBytes = 1024;
    private const int WarmUp = 20;
    private const int Rounds = 300;

    public string Name => "engines";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        var batches = Enumerable.Range(0, WarmUp + Rounds).Select(round => Batch(round)).ToList();
        var (theirWrites, theirReads) = OfDatabase(bench.NewFolder("sqlite"), batches);
        var (writes, reads) = await OfStoreAsync(bench.NewFolder("segments"), batches, cancellationToken);
        return
        [
            Measurement.Relative("engine: durable writes of 1 KiB", writes, "blobs/s", "SQLite, WAL, synchronous=FULL", theirWrites, Target.AtLeast(1)),
            Measurement.Relative("engine: reads of 1 KiB", reads, "blobs/s", "SQLite, WAL, synchronous=FULL", theirReads, Target.AtLeast(1)),
        ];
    }

    private static List<(Digest Digest, ReadOnlyMemory<byte> Data)> Batch(int seed)
    {
        var random = new Random(seed);
        var batch = new List<(Digest, ReadOnlyMemory<byte>)>(Blobs);
        for (int i = 0; i < Blobs; i++)
        {
            byte[] data = new byte[SizeBytes];
            random.NextBytes(data);
            batch.Add((Digest.Of(DigestFunction.Sha256, data), data));
        }

        return batch;
    }

    private static async Task<(double Writes, double Reads)> OfStoreAsync(
        string folder, List<List<(Digest Digest, ReadOnlyMemory<byte> Data)>> batches, CancellationToken cancellationToken)
    {
        await using var store = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = folder, LimitBytes = 10L << 30 }, TimeProvider.System, cancellationToken);
        double writes = await SpeedAsync(batches, async batch =>
        {
            var statuses = await store.WriteManyAsync(batch, cancellationToken);
            if (statuses.Any(status => status.StatusCode != Grpc.Core.StatusCode.OK)) throw new InvalidDataException("a blob was not stored");
        });
        var counter = new Counter();
        double reads = await SpeedAsync(batches, async batch =>
            await store.ReadManyAsync([.. batch.Select(blob => blob.Digest)], counter, cancellationToken));
        if (counter.Bytes != (long)batches.Count * Blobs * SizeBytes) throw new InvalidDataException($"{counter.Bytes} bytes were read");
        return (writes, reads);
    }

    private static (double Writes, double Reads) OfDatabase(string folder, List<List<(Digest Digest, ReadOnlyMemory<byte> Data)>> batches)
    {
        using var database = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path.Combine(folder, "blobs"), Pooling = false }.ToString());
        database.Open();
        Run("PRAGMA journal_mode = WAL");
        Run("PRAGMA synchronous = FULL");
        Run("CREATE TABLE blobs (digest BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID");

        using var insert = database.CreateCommand();
        insert.CommandText = "INSERT INTO blobs VALUES ($digest, $data)";
        var (newDigest, newData) = (insert.Parameters.Add("$digest", SqliteType.Blob), insert.Parameters.Add("$data", SqliteType.Blob));
        using var select = database.CreateCommand();
        select.CommandText = "SELECT data FROM blobs WHERE digest = $digest";
        var wanted = select.Parameters.Add("$digest", SqliteType.Blob);

        double writes = Speed(batches, batch =>
        {
            using var transaction = database.BeginTransaction();
            insert.Transaction = transaction;
            foreach (var (digest, data) in batch)
            {
                (newDigest.Value, newData.Value) = (Key(digest), data.ToArray());
                insert.ExecuteNonQuery();
            }

            transaction.Commit();
        });
        double reads = Speed(batches, batch =>
        {
            foreach (var (digest, _) in batch)
            {
                wanted.Value = Key(digest);
                if (((byte[]?)select.ExecuteScalar())?.Length != SizeBytes) throw new InvalidDataException("a blob was not read");
            }
        });
        return (writes, reads);

        void Run(string sql)
        {
            using var command = database.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }
    }

    private static byte[] Key(Digest digest)
    {
        byte[] key = new byte[digest.HashBytes];
        digest.CopyHashTo(key);
        return key;
    }

    private static double Speed<T>(List<T> batches, Action<T> use)
    {
        foreach (var batch in batches.Take(WarmUp)) use(batch);
        long start = TimeProvider.System.GetTimestamp();
        foreach (var batch in batches.Skip(WarmUp)) use(batch);
        return Rounds * Blobs / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<double> SpeedAsync<T>(List<T> batches, Func<T, Task> use)
    {
        foreach (var batch in batches.Take(WarmUp)) await use(batch);
        long start = TimeProvider.System.GetTimestamp();
        foreach (var batch in batches.Skip(WarmUp)) await use(batch);
        return Rounds * Blobs / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    private sealed class Counter : IBlobReceiver
    {
        public long Bytes { get; private set; }

        public void Found(int index, ReadOnlySpan<byte> data) => Bytes += data.Length;

        public void Missing(int index) => throw new InvalidDataException("a blob is missing");

        public void Failed(int index, Exception failure) => throw new InvalidDataException("a blob was not read", failure);
    }
}
