using System.Numerics;
using Microsoft.Extensions.Logging;
using RemoteExec.Assets;
using RemoteExec.Core;
using RemoteExec.Hosting;
using RemoteExec.Services;
using RemoteExec.Storage;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>Every option of <c>rexec-server</c>: name, default and help in one line each.</summary>
internal sealed class ServerOptions(OptionReader options)
{
    public static OptionTable<ServerOptions> Table { get; } = new(
        "rexec-server", "Serves remote execution and caching (REAPI v2) with embedded storage and a sandboxed local worker.",
        reader => new ServerOptions(reader), Rules);

    public HostPort Grpc { get; } = options.HostPort("grpc", "127.0.0.1:8980", "where clients and workers connect");
    public HostPort Http { get; } = options.HostPort("http", "127.0.0.1:8981", "web page and its JSON; the cache for clients without gRPC (/ac/, /cas/, also PUT); REAPI's methods with JSON (/v2/, /v1/, also Execute); /metrics, /healthz, /readyz");
    public string DataDirectory { get; } = Path.GetFullPath(options.Text("data-dir", UserData.DirectoryOf("rexec"), "everything durable lives here", "DIR", "`~/.local/share/rexec`"));
    public IReadOnlyList<ServerRole> Roles { get; } = options.Choices<ServerRole>("roles", "all", "parts that this process plays");
    public IReadOnlyList<HostPort> Redis { get; } = options.HostPorts("redis", null, "shared state of several coordinators (not in this version)", isHidden: true);

    public SizeOrShare? MaxCasSize { get; } = options.OptionalSizeOrShare("max-cas-size", "disk space for blobs, or its share of the disk, such as 60%; half of what is free, at most 50GB, when left out");
    public TimeSpan Retention { get; } = options.Duration("retention", "6h", "how long a blob is kept after a client was told of it; at least 3h after a cache hit while more than half of --max-cas-size is promised");
    public long? ChunkUploadsFromBytes { get; } = options.OptionalSize("chunk-uploads-from", "uploads of this size or more are stored by their chunks, so that what large blobs share is stored once, and an action on this machine costs a copy of such an input; never when 0 or left out");
    public bool CompressesAtRest { get; } = options.Flag("compress-at-rest", "stored blobs beyond 256KiB that become smaller by it are compressed (zstd), and compressed reads are answered with what is stored; an input of an action on this machine takes its plain room besides");
    public long ChunkBytes { get; } = options.Size("chunk-size", "256KiB", "how large chunks are on average (FastCDC), for clients that ask too; a power of two from 1KiB to 1MiB");
    public long ScrubBytesPerSecond { get; } = options.Size("scrub-rate", "4MB", "how much of the stored blobs is read again each second, all of them once a day at most, to find what the disk has altered; nothing when 0");
    public bool ReadOnlyActionCache { get; } = options.Flag("read-only-action-cache", "refuse UpdateActionResult; keeps out mistakes, not those who join as a worker, which whoever reaches the port can");

    public IReadOnlyList<string> FetchAllowed { get; } = options.Names("fetch-allow", "hosts, addresses and blocks (10.1.0.0/16) that Remote Asset fetches from although they are not public");
    public string? FetchAuthorities { get; } = options.OptionalText("fetch-ca", "certificates (PEM) of authorities that https origins of Remote Asset are trusted by, beside those of the machine", "FILE");
    public long FetchBytesMax { get; } = options.Size("fetch-size-max", "8GiB", "the largest download of Remote Asset");
    public bool AllowPush { get; } = options.Flag("allow-push", "let clients say what the content of an address is (Remote Asset Push); they may anyway while --grpc is an address of this machine only");

    public IReadOnlyList<HostPort> Storage { get; } = options.HostPorts("storage", null, "servers that keep the blobs instead of this one, each a part of them; all that serve one farm name the same");
    public bool StorageMirrored { get; } = options.Flag("storage-mirrored", "keep each blob on two of the --storage servers, so that any one may be away or lost");
    public string? S3Bucket { get; } = options.OptionalText("s3-bucket", "bucket behind the disk: blobs are brought there later, and back when they are read; credentials as the AWS tools find them", "NAME");
    public string? S3Endpoint { get; } = options.OptionalText("s3-endpoint", "service that has the bucket, when it is not Amazon's", "URL");
    public string S3Region { get; } = options.Text("s3-region", "us-east-1", "region of the bucket", "NAME");
    public string S3Prefix { get; } = options.Text("s3-prefix", "rexec/", "in front of the names of all objects", "TEXT");
    public bool S3PathStyle { get; } = options.Flag("s3-path-style", "write the bucket into the path and not into the host's name, as most services want it that are not Amazon's");
    public int S3Queue { get; } = options.Count("s3-queue", WriteBehindOptions.WaitingMaxDefault, "blobs that may wait for the bucket, while it is away or slow; what finds no room stays on this disk only, which remoteexec_bucket_writes_total counts as dropped", min: 1, max: 5_000_000);
    public TimeSpan S3ObjectLifetime { get; } = options.Duration("s3-object-lifetime", "0s", "after which the bucket's own rules delete an object; 0 when they do not");

    public IncompleteResults IncompleteResults { get; } = options.Choice("cache-incomplete-results", IncompleteResults.Some, "successes that lack announced outputs: cache all, those that wrote some (and tests, which may write none), or none");

    public bool BuildbarnUsage { get; } = options.Flag("buildbarn-usage", "results tell what an action used also as buildbarn.resourceusage.POSIXResourceUsage (auxiliary_metadata); a program that prints results as JSON and knows only REAPI's types fails on it");

    public AbsoluteSymlinks AbsoluteSymlinks { get; } = options.Choice("absolute-symlinks", AbsoluteSymlinks.Disallowed, "symbolic links to absolute paths, among inputs and outputs: refused, or kept as they are");

    public long LogStreamBytesMax { get; } = options.Size("log-stream-size-max", "16MiB", "how much one log may have that a client writes (LogStream)");
    public long LogStreamsBytesMax { get; } = options.Size("log-streams-size-max", "64MiB", "memory for all of these; a log is kept for a minute after its end");

    public DigestFunction UnnamedDigestFunction { get; } = options.DigestFunction("unnamed-digest-function", DigestFunction.Sha256, "the function of hashes whose client names none, where they have its length: blake3 for a Buck2 that hashes with it");

    public int Slots { get; } = options.Count("slots", Environment.ProcessorCount, "actions that the local worker runs at the same time", min: 1, max: Pools.SlotsMax, defaultWords: "the number of processors");
    public string Pool { get; } = options.Text("pool", Pools.Default, "pool of the local worker", "NAME");
    public IReadOnlyList<PlatformProperty> Properties { get; } = options.Properties("property", "platform property that the local worker offers");
    public SandboxMode Sandbox { get; } = options.Choice("sandbox", SandboxMode.Degrade, "when this kernel cannot build every part of the sandbox: refuse, say so and go on, or run without any");
    public long? ActionMemoryBytesMax { get; } = options.OptionalSize("action-memory", "memory that one action may use; no limit but the machine's when 0 or left out");
    public long? ActionScratchBytesMax { get; } = options.OptionalSize("action-scratch", "size of an action's /tmp, and of its /dev/shm, which are memory; when 0 or left out, a quarter of its slot's share of the memory, or of --action-memory");

    public TimeSpan ActionTimeout { get; } = options.Duration("action-timeout", "1h", "how long a command may run when its action does not say", TimerDaysMax);
    public TimeSpan ActionTimeoutMax { get; } = options.Duration("action-timeout-max", "24h", "longer timeouts are refused", TimerDaysMax);
    public TimeSpan UnsatisfiableMax { get; } = options.Duration("wait-for-worker", "500ms", "how long an action waits for a worker that offers its properties; never refused within 15 s of a start, or of the loss of the last worker that did");
    public IReadOnlyList<string> IgnoredProperties { get; } = options.Names("ignore-property", "platform properties that say nothing here and are left out of account, beside those that only ask for so much of a machine");
    public TimeSpan AbandonedGrace { get; } = options.Duration("wait-for-client", "60s", "how long an action goes on when the connection to its last client is lost; one that its client cancels ends at once");
    public int RederiveDepth { get; } = options.Count("rederive-depth", 8, "inputs that are lost and were made here are made again, by running what made them, up to so many actions deep; never when 0", min: 0, max: 1000);
    public int RederiveActions { get; } = options.Count("rederive-actions", 64, "actions that run again for one request; beyond it the client is told what is missing", min: 1, max: 100_000);
    public int RederiveRunning { get; } = options.Count("rederive-running", 32, "actions that run again at the same time, for all requests", min: 1, max: 100_000);
    public int RederiveEntries { get; } = options.Count("rederive-entries", 1_000_000, "outputs of which is remembered what made them, up to 100 bytes of memory each; the least recently made or wanted are forgotten first", min: 1000, max: 100_000_000);
    public TimeSpan DrainMax { get; } = options.Duration("drain-limit", "30s", "how long running calls and actions may take to finish after SIGTERM", TimerDaysMax);

    public LogLevel LogLevel { get; } = options.LogLevel("log-level", LogLevel.Information, "least important log line that is written");

    // What a timer is set for: it takes 49 at most.
    private const int TimerDaysMax = 30;

    private const long LogStreamBytesMost = 1 << 30;

    // Clients upload blobs of megabytes at once; below this they would evict each other while a build runs.
    private const long CasSizeBytesMin = 64 << 20;

    // Bazel asks for what it was told of minutes ago; a year is for ever, and a store that may evict nothing refuses everything.
    private static readonly TimeSpan RetentionMin = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetentionMax = TimeSpan.FromDays(366);

    public ChunkingOptions Chunking => new() { FastCdcAverageBytes = (int)ChunkBytes, StoredFromBytes = ChunkUploadsFromBytes ?? long.MaxValue };

    public bool Plays(ServerRole role) => Roles.Contains(ServerRole.All) || Roles.Contains(role);

    private static IEnumerable<string> Rules(ServerOptions options)
    {
        if (options.Redis.Count > 0)
            yield return "--redis: several coordinators are not in this version; leave it out and this server keeps its state under --data-dir";
        if (!options.Plays(ServerRole.Storage) && options.Storage.Count == 0)
            yield return "--roles: a coordinator or worker without storage in the same process is not in this version; add storage, name servers that have it with --storage HOST:PORT, or run rexec-worker";
        if (options.Plays(ServerRole.Worker) && !options.Plays(ServerRole.Coordinator))
            yield return "--roles: a local worker needs the coordinator in the same process; add coordinator, or run rexec-worker --coordinator HOST:PORT";
        foreach (string problem in FarStoreRules.Of(options))
            yield return problem;
        if (options.MaxCasSize is { Percent: null, Bytes: < CasSizeBytesMin })
            yield return "--max-cas-size: is smaller than 64MiB, which one large output fills; write a larger size, such as 10GB";
        foreach (string text in options.FetchAllowed.Where(text => !FetchAllowance.TryParse(text, out _)))
            yield return $"--fetch-allow: {PrintableText.Quote(text, 128)} is neither a host nor an address; write mirror.example, 10.1.2.3 or 10.1.0.0/16";
        if (options.FetchBytesMax < 1)
            yield return "--fetch-size-max: is nothing; 8GiB suits most";
        if (options.LogStreamBytesMax is < 1 or > LogStreamBytesMost)
            yield return "--log-stream-size-max: is nothing, or more than 1GiB of memory for one log; 16MiB suits most";
        if (options.LogStreamsBytesMax < options.LogStreamBytesMax)
            yield return "--log-streams-size-max: is less than --log-stream-size-max, so that one log would not fit; raise the one or lower the other";
        if (options.Retention < RetentionMin)
            yield return "--retention: is shorter than 1m, so clients would miss blobs that they were just told of, and builds would fail; 6h suits most";
        if (options.Retention > RetentionMax)
            yield return "--retention: is longer than 366d, so the store would fill and then refuse all uploads; 6h suits most, some days suit a farm with much room";
        if (!BitOperations.IsPow2(options.ChunkBytes) || options.ChunkBytes is < FastCdc2020.AverageBytesMin or > FastCdc2020.AverageBytesMax)
            yield return "--chunk-size: is no power of two from 1KiB to 1MiB, and clients would ignore it (REAPI, FastCdc2020Params); 256KiB is usual";
        if (ActionBounds.Problem("--action-memory", options.ActionMemoryBytesMax) is { } tooLittle)
            yield return tooLittle;
        if (options.ActionTimeout > options.ActionTimeoutMax)
            yield return "--action-timeout: is longer than --action-timeout-max; raise the one or lower the other";
    }
}
