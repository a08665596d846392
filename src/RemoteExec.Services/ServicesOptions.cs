using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>What the services announce and enforce. One record for both, so that capabilities never promise another thing.</summary>
public sealed record ServicesOptions
{
    // Each gathers up to 512 KiB in memory while its client sends.
    private const int UploadsMost = 8192;

    // More than a network interface serves at a time.
    private const int OpenReadsMost = 32_768;

    /// <summary>Whether clients may call Execute; false is a cache.</summary>
    public bool ExecutionEnabled { get; init; } = true;

    /// <summary>Whether clients may write action results themselves (REAPI A3). Announced per caller.</summary>
    public bool ActionCacheUpdateEnabled { get; init; } = true;

    /// <summary>Whether clients may say what the content of an address is (REAPI S3).</summary>
    public bool AssetPushEnabled { get; init; }

    /// <summary>Which successes are cached although they lack outputs that their commands announced.</summary>
    public IncompleteResults IncompleteResults { get; init; } = IncompleteResults.Some;

    /// <summary>
    /// The function of hashes whose client names none, where they have its length; for farms whose clients hash with BLAKE3 and never say so (Buck2).
    /// </summary>
    public DigestFunction UnnamedDigestFunction { get; init; } = DigestFunction.Sha256;

    /// <summary>
    /// Sum of blob sizes in one batch call, as announced (REAPI C4). Up to twice that is accepted.
    /// </summary>
    public int BatchBytesMax { get; init; } = Limits.AnswerBytesMax;

    /// <summary>The largest blob taken (REAPI BW8).</summary>
    public long BlobBytesMax { get; init; } = 64L << 30;

    /// <summary>How large blobs are cut, here and by clients.</summary>
    public ChunkingOptions Chunking { get; init; } = ChunkingOptions.Default;

    /// <summary>For actions that name no timeout.</summary>
    public TimeSpan ActionTimeoutDefault { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Longer ones are refused, not clamped (REAPI X1).</summary>
    public TimeSpan ActionTimeoutMax { get; init; } = TimeSpan.FromHours(24);

    /// <summary>
    /// The longest silence on an Execute or WaitExecution stream. Bazel gives up after 60 s, and REAPI E16 asks for 30 s:
    /// one beat may get lost.
    /// </summary>
    public TimeSpan BeatInterval { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>What is taken of clients and workers; workers are told.</summary>
    public Limits Limits { get; init; } = Limits.Default;

    /// <summary>For how long the store keeps what it was asked for. Live work has its inputs promised again within that; zero where nothing is promised.</summary>
    public TimeSpan Retention { get; init; }

    /// <summary>
    /// How long a tree that was found complete counts as such. Much shorter than the time for which the store keeps what
    /// it reported present, and long enough for all actions of one build that share inputs.
    /// </summary>
    public TimeSpan CompleteTreeMemory { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How much of large answers (BatchReadBlobs) may lie here until their clients take it, over all connections: some sixty of 4 MiB, more than
    /// one network interface sends at a time.
    /// </summary>
    public long UnsentAnswersBytesMax { get; init; } = 256L * 1024 * 1024;

    /// <summary>Unfinished uploads, running and idle. Each has a file open: <see cref="UploadsMaxOf"/>.</summary>
    public int UploadsMax { get; init; } = UploadsMost;

    /// <summary>Reads of blobs that are under way. Each has a file open: <see cref="OpenReadsMaxOf"/>.</summary>
    public int OpenReadsMax { get; init; } = OpenReadsMost;

    /// <summary>
    /// Of the uploads, such as are kept for their clients to come back; the longest idle one goes first. Most clients that break off never come back,
    /// and who does goes on within seconds, or else begins again.
    /// </summary>
    public int IdleUploadsMax { get; init; } = 256;

    /// <summary>How long an unfinished upload waits for its client. Bazel's retries are over after 3 s, a person's are not.</summary>
    public TimeSpan UploadIdleMax { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long an upload whose call is open may bring nothing: a message of 4 MiB at 35 kB/s.</summary>
    public TimeSpan UploadSilenceMax { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Results tell what an action used in Buildbarn's words too, which a JSON printer that knows only REAPI fails on.</summary>
    public bool TellsBuildbarnUsage { get; init; }

    /// <summary>How much is kept of what running actions write, for those who watch; of one stream it is <see cref="Limits.LiveOutputBytesMax"/> and <see cref="Limits.LiveOutputWindowBytes"/>.</summary>
    public long LiveLogsBytesMax { get; init; } = 64L * 1024 * 1024;

    /// <summary>How long an action that is over can still be read that way: long enough for who was about to.</summary>
    public TimeSpan LiveLogKeep { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How much one log may have that a client writes.</summary>
    public int LogStreamBytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>How much memory all of those take.</summary>
    public long LogStreamsBytesMax { get; init; } = 64L * 1024 * 1024;

    /// <summary>How many of them there are.</summary>
    public int LogStreamsMax { get; init; } = 1024;

    /// <summary>After which silence of its writer such a log is final: more than a step of a build takes that says nothing.</summary>
    public TimeSpan LogStreamSilenceMax { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How far lost inputs are made again.</summary>
    public RederivationOptions Rederivation { get; init; } = new();

    /// <summary>Where the web page is, for links in messages to people; null when there is none.</summary>
    public Uri? WebAddress { get; init; }

    public IServicesObserver Observer { get; init => field = new GuardedServicesObserver(value); } = GuardedServicesObserver.Nobody;

    /// <summary>Where files are scarce, uploads get a quarter of them: what is read, connections and actions need the others, each with a share of its own.</summary>
    /// <param name="openFilesMax">Null where nothing bounds them.</param>
    public static int UploadsMaxOf(long? openFilesMax) => (int)Math.Clamp((openFilesMax ?? long.MaxValue) / 4, 1, UploadsMost);

    /// <summary>And reads an eighth.</summary>
    /// <param name="openFilesMax">Null where nothing bounds them.</param>
    public static int OpenReadsMaxOf(long? openFilesMax) => (int)Math.Clamp((openFilesMax ?? long.MaxValue) / 8, 1, OpenReadsMost);

    /// <summary>This build, as workers are told.</summary>
    public string Version { get; init; } = typeof(ServicesOptions).Assembly.GetName().Version?.ToString(3) ?? "";
}
