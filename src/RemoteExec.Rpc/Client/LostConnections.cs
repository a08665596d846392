namespace RemoteExec.Rpc;

/// <summary>
/// Makes a lost connection UNAVAILABLE, which is retried, wherever it shows. A ping without an answer, a GOAWAY under a running call
/// (a server that restarts sends NO_ERROR) and a broken frame reach Grpc.Net.Client as an <see cref="HttpProtocolException"/>, of which it
/// makes the status of an RST_STREAM with that code: INTERNAL, mostly.
/// </summary>
internal sealed class LostConnections(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    // The server throttles us: it is there, and has its own status.
    private const long EnhanceYourCalm = 0xB;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, cancellationToken);
        }
        catch (Exception failure) when (LossOf(failure) is { } loss)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, loss.Message, new IOException(loss.Message));
        }
        catch (OperationCanceledException late) when (late.InnerException is TimeoutException && !cancellationToken.IsCancellationRequested)
        {
            // Nobody cancelled: SocketsHttpHandler reports its ConnectTimeout so.
            throw new HttpRequestException(HttpRequestError.ConnectionError, late.InnerException.Message, new IOException(late.InnerException.Message));
        }

        var content = response.Content;
        // It is there when the headers are: nothing waits here, and nothing may be lost to a cancellation.
        response.Content = new StreamContent(new LostStream(await content.ReadAsStreamAsync(CancellationToken.None)));
        foreach (var (name, values) in content.Headers) response.Content.Headers.TryAddWithoutValidation(name, values);
        return response;
    }

    /// <summary>The failure of the connection, where it is one and not that of a single stream.</summary>
    private static HttpProtocolException? LossOf(Exception failure)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
            // One type and the same codes stand for both; only the sentence, which .NET does not translate, tells them apart.
            if (cause is HttpProtocolException { ErrorCode: not EnhanceYourCalm } protocol
                && !protocol.Message.Contains("reset the stream", StringComparison.Ordinal))
                return protocol;
        return null;
    }

    /// <summary>The same for what comes after the headers.</summary>
    private sealed class LostStream(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = inner.ReadAsync(buffer, cancellationToken);
            return read.IsCompletedSuccessfully ? read : WaitAsync(read);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }

        private static async ValueTask<int> WaitAsync(ValueTask<int> read)
        {
            try
            {
                return await read;
            }
            catch (Exception failure) when (LossOf(failure) is { } loss)
            {
                throw new IOException(loss.Message);
            }
        }
    }
}
