"""Calls every shape of test.Echo with Debian's python3-grpcio, as bytes, and checks what comes back."""
import sys

import grpc

target = sys.argv[1]


def check(name, actual, expected):
    if actual != expected:
        sys.exit(f"{name}: got {actual!r}, expected {expected!r}")
    print("ok", name)


def calls(channel, prefix=""):
    unary = channel.unary_unary("/test.Echo/Unary")
    check(prefix + "unary", unary(b"hello"), b"hello")
    check(prefix + "empty", unary(b""), b"")
    check(prefix + "large", unary(b"x" * 3_500_000), b"x" * 3_500_000)
    check(prefix + "client stream", channel.stream_unary("/test.Echo/ClientStreaming")(iter([b"a", b"b"])), b"a,b")
    check(prefix + "server stream", list(channel.unary_stream("/test.Echo/ServerStreaming")(b"1,2,3")), [b"1", b"2", b"3"])
    check(prefix + "duplex", list(channel.stream_stream("/test.Echo/Duplex")(iter([b"p", b"q"]))), [b"p", b"q"])


options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
with grpc.insecure_channel(target, options=options) as channel:
    calls(channel)

    _, call = channel.unary_unary("/test.Echo/Unary").with_call(b"", metadata=[("echo-bin", b"\x00\xff"), ("echo-text", "t")])
    trailers = dict(call.trailing_metadata())
    check("binary metadata", trailers.get("echo-bin"), b"\x00\xff")
    check("text metadata", trailers.get("echo-text"), "t")

    for name, method, request, timeout, code in [
        ("refusal", "Unary", b"fail", 30, grpc.StatusCode.FAILED_PRECONDITION),
        ("unknown method", "Nothing", b"", 30, grpc.StatusCode.UNIMPLEMENTED),
        ("too large", "Unary", b"x" * 5_000_000, 30, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("deadline", "Unary", b"hang", 0.2, grpc.StatusCode.DEADLINE_EXCEEDED),
    ]:
        try:
            channel.unary_unary(f"/test.Echo/{method}")(request, timeout=timeout)
            sys.exit(f"{name}: succeeded")
        except grpc.RpcError as error:
            check(name, error.code(), code)
            if name == "refusal":
                check("details", error.details(), "100 % ß")
                check("rich status", dict(error.trailing_metadata()).get("grpc-status-details-bin"), b"\x08\x09")

    hanging = channel.unary_unary("/test.Echo/Unary").future(b"hang")
    hanging.cancel()
    check("cancel", hanging.cancelled(), True)

with grpc.insecure_channel(target, options=options, compression=grpc.Compression.Gzip) as channel:
    calls(channel, "gzip ")
print("done")
