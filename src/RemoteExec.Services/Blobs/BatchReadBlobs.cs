using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>ContentAddressableStorage.BatchReadBlobs on the bytes of its messages: blobs are read into the answer.</summary>
internal sealed class BatchReadBlobs(IBlobStore store, ServicesOptions options, AnswerBudget unsent)
{
    // An entry's digest, the sentence that it is not there, and its details.
    private const int MissBytes = 400;

    // Of an entry beside digest and data, when all is well.
    private const int FramingBytes = 24;

    // Smaller blobs do not get smaller.
    private const int CompressBytesMin = 256;

    public static Method<LentMessage, BatchAnswer> Method { get; } = new(
        MethodType.Unary, ContentAddressableStorage.Descriptor.FullName,
        nameof(ContentAddressableStorage.ContentAddressableStorageBase.BatchReadBlobs),
        ServedOnly.Requests(LentMessage.Deserialize), ServedOnly.Responses<BatchAnswer>(BatchAnswer.Serialize));

    public async Task<BatchAnswer> HandleAsync(LentMessage request, ServerCallContext context)
    {
        using (request)
        {
            var query = BatchQuery.ParseRead(request.Bytes.Span, options.UnnamedDigestFunction);
            var entries = query.Entries;
            long blobBytes = entries.Sum(entry => Math.Clamp(entry.ClaimedBytes(request.Bytes.Span), 0, int.MaxValue));
            BatchRules.Check(blobBytes, options);

            long digestBytes = entries.Sum(entry => (long)entry.DigestBytes);
            var room = new BatchAnswerRoom(entries.Count, digestBytes);
            // Before anything is read, for all of it and until it has left.
            long words = Math.Min((long)entries.Count * MissBytes, Limits.AnswerBytesMax);
            if (await unsent.TakeAsync(context, blobBytes + words) is { } held) context.HoldUntilSent(held);

            var receiver = new Receiver(request.Bytes, query, room, options, (int)(blobBytes + digestBytes + (entries.Count * FramingBytes)));
            try
            {
                await store.ReadManyAsync(receiver.Wanted, receiver, context.CancellationToken);
                return receiver.Finish();
            }
            catch
            {
                receiver.Dispose();
                throw;
            }
        }
    }

    /// <summary>Writes the entries of the answer in the order asked, those whose digest is none in between.</summary>
    private sealed class Receiver : IBlobReceiver, IDisposable
    {
        private readonly ReadOnlyMemory<byte> _request;
        private readonly BatchQuery _query;
        private readonly BatchAnswerRoom _room;
        private readonly ServicesOptions _options;
        private readonly BatchAnswer _answer;
        private readonly List<Digest> _wanted;
        private readonly List<int> _places; // of those that are wanted, among all
        private readonly RpcException?[] _refused;
        private int _next;

        public Receiver(ReadOnlyMemory<byte> request, BatchQuery query, BatchAnswerRoom room, ServicesOptions options, int expectedBytes)
        {
            (_request, _query, _room, _options) = (request, query, room, options);
            _refused = new RpcException?[query.Entries.Count];
            _wanted = new List<Digest>(query.Entries.Count);
            _places = new List<int>(query.Entries.Count);
            for (int i = 0; i < query.Entries.Count; i++)
            {
                _refused[i] = query.Entries[i].TryGetDigest(request.Span, query.Function, out var digest);
                if (_refused[i] is not null) continue;
                _wanted.Add(digest);
                _places.Add(i);
            }

            _answer = new BatchAnswer(expectedBytes);
        }

        public IReadOnlyList<Digest> Wanted => _wanted;

        public void Found(int index, ReadOnlySpan<byte> data)
        {
            // What is compressed without getting smaller goes as it is: IDENTITY is always acceptable (REAPI C3).
            bool mayCompress = _query.AcceptsZstd && data.Length >= CompressBytesMin;
            if (mayCompress && Zstd.Compress(data) is var compressed && compressed.Length < data.Length) Send(index, compressed, WireCompressor.Zstd);
            else Send(index, data, WireCompressor.Identity);
        }

        // A miss is no exception: fifty thousand of them would take seconds.
        public void Missing(int index) => Fail(_places[index], RpcErrors.NotFound("blob", _wanted[index].ToString()), _wanted[index]);

        public void Failed(int index, Exception failure) => Fail(_places[index], failure, _wanted[index]);

        public BatchAnswer Finish()
        {
            FailUntil(_refused.Length);
            return _answer;
        }

        public void Dispose() => _answer.Dispose();

        private void Send(int index, ReadOnlySpan<byte> data, WireCompressor compressor)
        {
            FailUntil(_places[index]);
            _room.Take(data.Length);
            _answer.AddRead(DigestAt(_next++), data, compressor, failure: null);
            _options.Observer.BlobSent(data.Length, isCompressed: compressor != WireCompressor.Identity);
        }

        private void Fail(int place, Exception failure, Digest digest)
        {
            FailUntil(place);
            _answer.AddRead(DigestAt(_next++), default, WireCompressor.Identity, _room.Fit(BatchRules.StatusOf(failure, digest)));
        }

        private void FailUntil(int place)
        {
            while (_next < place) _answer.AddRead(DigestAt(_next), default, WireCompressor.Identity, _room.Fit(_refused[_next++]!.ToStatus()));
        }

        private ReadOnlySpan<byte> DigestAt(int place) => _query.Entries[place].Digest is { } digest ? _request.Span[digest] : default;
    }
}
