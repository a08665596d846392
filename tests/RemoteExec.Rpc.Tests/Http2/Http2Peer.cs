using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RemoteExec.Rpc.Tests;

/// <summary>
/// The other end of a connection, frame by frame: it sends exactly what a test says, right or wrong. It answers
/// nothing by itself but SETTINGS and PING, and fails a test that waits for a frame which never comes.
/// </summary>
internal sealed class Http2Peer : IDisposable
{
    private static readonly byte[] Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(60));

    private Http2Peer(Socket socket)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _stream = new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>False: a PING is a frame like any other, which a test reads and need not answer.</summary>
    public bool AnswersPings { get; set; } = true;

    /// <summary>Frames that were read while another was looked for: they are looked at first.</summary>
    public List<Http2Frame> Unread { get; } = [];

    public static async Task<Http2Peer> ConnectAsync(IPEndPoint server, params (short Id, int Value)[] settings)
    {
        var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server);
        var peer = new Http2Peer(socket);
        await peer._stream.WriteAsync(Preface);
        await peer.SendSettingsAsync([(0x1, 0), .. settings]); // HEADER_TABLE_SIZE 0: see Hpack
        return peer;
    }

    /// <summary>The server's side of a connection that a client has made.</summary>
    public static async Task<Http2Peer> AcceptAsync(Socket listener, params (short Id, int Value)[] settings)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var peer = new Http2Peer(await listener.AcceptAsync(patience.Token));
        byte[] preface = new byte[Preface.Length];
        await peer._stream.ReadExactlyAsync(preface, patience.Token);
        Assert.That(preface, Is.EqualTo(Preface));
        await peer.SendSettingsAsync([(0x1, 0), .. settings]);
        return peer;
    }

    public Task SendAsync(Http2FrameType type, byte flags, int streamId, byte[] payload)
    {
        byte[] frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        frame[3] = (byte)type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), streamId);
        payload.CopyTo(frame, 9);
        return _stream.WriteAsync(frame, _patience.Token).AsTask();
    }

    /// <summary>Byte by byte, each in a packet of its own as far as the network lets us.</summary>
    public async Task SendInPiecesAsync(byte[] bytes)
    {
        foreach (byte piece in bytes) await _stream.WriteAsync(new[] { piece }, _patience.Token);
    }

    /// <summary>Nothing more comes from here. Closing at once, over what was not read, would be a loss of what is on its way as well.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    public Task SendHeadersAsync(int streamId, bool isEnd, params (string Name, string Value)[] headers) =>
        SendAsync(Http2FrameType.Headers, (byte)(Http2Frame.EndHeaders | (isEnd ? Http2Frame.EndStream : 0)), streamId, Hpack.Encode(headers));

    public Task SendDataAsync(int streamId, bool isEnd, params byte[] data) =>
        SendAsync(Http2FrameType.Data, isEnd ? Http2Frame.EndStream : (byte)0, streamId, data);

    public Task SendResetAsync(int streamId, Http2Error error) =>
        SendAsync(Http2FrameType.ResetStream, 0, streamId, [0, 0, 0, (byte)error]);

    public Task SendGoAwayAsync(int lastStreamId, Http2Error error)
    {
        byte[] payload = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(payload, lastStreamId);
        BinaryPrimitives.WriteInt32BigEndian(payload.AsSpan(4), (int)error);
        return SendAsync(Http2FrameType.GoAway, 0, 0, payload);
    }

    /// <summary>The headers of a gRPC call, and whatever else a test wants in them.</summary>
    public Task StartCallAsync(int streamId, string path, params (string Name, string Value)[] more) =>
        SendHeadersAsync(streamId, false,
        [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
            ("content-type", "application/grpc"), ("te", "trailers"), .. more,
        ]);

    /// <summary>Headers that need more than one frame (RFC 9113 section 6.10).</summary>
    public async Task SendLongHeadersAsync(int streamId, params (string Name, string Value)[] more)
    {
        const int frameBytes = 16 * 1024;
        byte[] block = Hpack.Encode(
        [
            (":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "test"),
            ("content-type", "application/grpc"), ("te", "trailers"), .. more,
        ]);
        try
        {
            for (int start = 0; start < block.Length; start += frameBytes)
            {
                int end = Math.Min(start + frameBytes, block.Length);
                await SendAsync(start == 0 ? Http2FrameType.Headers : Http2FrameType.Continuation,
                    end == block.Length ? Http2Frame.EndHeaders : (byte)0, streamId, block[start..end]);
            }
        }
        catch (IOException)
        {
            // A server need not listen to the end.
        }
    }

    /// <summary>Completes when the other end has looked at everything that was sent before.</summary>
    public async Task PingAsync()
    {
        bool answersPings = AnswersPings;
        AnswersPings = false;
        await SendAsync(Http2FrameType.Ping, 0, 0, new byte[8]);
        await ReadAsync(frame => frame.Type == Http2FrameType.Ping && (frame.Flags & Http2Frame.Ack) != 0);
        AnswersPings = answersPings;
    }

    /// <summary>All frames until the other end closes the connection.</summary>
    public async Task<List<Http2Frame>> ReadToEndAsync()
    {
        var frames = new List<Http2Frame>(Unread);
        Unread.Clear();
        try
        {
            while (true) frames.Add(await ReadAsync());
        }
        catch (IOException) // EndOfStreamException is one
        {
            return frames;
        }
    }

    /// <summary>The next frame that is not about the connection's own upkeep.</summary>
    public async Task<Http2Frame> ReadAsync()
    {
        while (true)
        {
            byte[] header = new byte[9];
            await _stream.ReadExactlyAsync(header, _patience.Token);
            byte[] payload = new byte[BinaryPrimitives.ReadInt32BigEndian(header) >> 8];
            await _stream.ReadExactlyAsync(payload, _patience.Token);
            var frame = new Http2Frame(
                (Http2FrameType)header[3], header[4], BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(5)), payload);
            switch (frame.Type)
            {
                case Http2FrameType.Ping when !AnswersPings:
                    return frame;
                case Http2FrameType.Settings or Http2FrameType.Ping when (frame.Flags & Http2Frame.Ack) == 0:
                    await SendAsync(frame.Type, Http2Frame.Ack, 0, frame.Type == Http2FrameType.Ping ? payload : []);
                    break;
                case Http2FrameType.Settings or Http2FrameType.Ping or Http2FrameType.WindowUpdate:
                    break;
                default:
                    return frame;
            }
        }
    }

    /// <summary>The next frame that a test looks for; frames before it stay for later.</summary>
    public async Task<Http2Frame> ReadAsync(Predicate<Http2Frame> isWanted)
    {
        int index = Unread.FindIndex(isWanted);
        if (index >= 0)
        {
            var found = Unread[index];
            Unread.RemoveAt(index);
            return found;
        }

        while (true)
        {
            var frame = await ReadAsync();
            if (isWanted(frame)) return frame;
            Unread.Add(frame);
        }
    }

    /// <summary>The error of the RST_STREAM that comes on a stream, whatever comes before it.</summary>
    public async Task<Http2Error> ReadResetAsync(int streamId)
    {
        var frame = await ReadAsync(frame => frame.Type == Http2FrameType.ResetStream && frame.StreamId == streamId);
        return (Http2Error)BinaryPrimitives.ReadInt32BigEndian(frame.Payload);
    }

    /// <summary>Everything on one stream, to its end or its reset.</summary>
    public async Task<Http2Answer> ReadAnswerAsync(int streamId)
    {
        List<(string, string)>? headers = null;
        List<(string, string)>? trailers = null;
        using var data = new MemoryStream();
        while (true)
        {
            var frame = await ReadAsync(frame => frame.StreamId == streamId);
            switch (frame.Type)
            {
                case Http2FrameType.Headers when headers is null:
                    headers = Hpack.Decode(frame.Payload);
                    break;
                case Http2FrameType.Headers:
                    trailers = Hpack.Decode(frame.Payload);
                    break;
                case Http2FrameType.Data:
                    data.Write(frame.Payload);
                    break;
                case Http2FrameType.ResetStream:
                    return new Http2Answer(headers ?? [], data.ToArray(), trailers, (Http2Error)BinaryPrimitives.ReadInt32BigEndian(frame.Payload));
                default:
                    throw new AssertionException($"unexpected frame {frame}");
            }

            if (frame.IsEndStream) return new Http2Answer(headers!, data.ToArray(), trailers, null); // HEADERS come first
        }
    }

    public void Dispose()
    {
        _patience.Dispose();
        _stream.Dispose();
    }

    private Task SendSettingsAsync((short Id, int Value)[] settings)
    {
        byte[] payload = new byte[6 * settings.Length];
        for (int i = 0; i < settings.Length; i++)
        {
            BinaryPrimitives.WriteInt16BigEndian(payload.AsSpan(6 * i), settings[i].Id);
            BinaryPrimitives.WriteInt32BigEndian(payload.AsSpan(6 * i + 2), settings[i].Value);
        }

        return SendAsync(Http2FrameType.Settings, 0, 0, payload);
    }
}
