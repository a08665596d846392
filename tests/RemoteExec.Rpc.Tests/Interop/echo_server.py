"""Serves test.Echo with Debian's python3-grpcio, as bytes. Prints its port; ends with its standard input."""
import sys
from concurrent import futures

import grpc


def unary(request, context):
    if request == b"fail":
        context.set_trailing_metadata([("grpc-status-details-bin", b"\x08\x09")])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "100 % ß")
    context.set_trailing_metadata([(k, v) for k, v in context.invocation_metadata() if k.startswith("echo-")])
    return request


def hang(request, context):
    yield request
    done = futures.Future()
    context.add_callback(lambda: done.set_result(None))
    done.result()


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ClientStreaming": grpc.stream_unary_rpc_method_handler(lambda requests, _: b",".join(requests)),
    "ServerStreaming": grpc.unary_stream_rpc_method_handler(lambda request, _: iter(request.split(b","))),
    "Duplex": grpc.stream_stream_rpc_method_handler(lambda requests, _: requests),
    "Hang": grpc.unary_stream_rpc_method_handler(hang),
}
compression = grpc.Compression.Gzip if "gzip" in sys.argv else grpc.Compression.NoCompression
server = grpc.server(futures.ThreadPoolExecutor(8), compression=compression)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(None).wait()
