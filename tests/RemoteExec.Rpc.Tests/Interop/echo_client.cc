// Calls test.Echo with Debian's libgrpc++, as bytes, and checks what comes back.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

static grpc::ByteBuffer bytes(const std::string &text)
{
    grpc::Slice slice(text);
    return grpc::ByteBuffer(&slice, 1);
}

static std::string text(const grpc::ByteBuffer &buffer)
{
    std::vector<grpc::Slice> slices;
    std::string all;
    if (buffer.Dump(&slices).ok())
        for (const auto &slice : slices)
            all.append(reinterpret_cast<const char *>(slice.begin()), slice.size());
    return all;
}

static void check(const char *name, bool ok)
{
    std::cout << (ok ? "ok " : "failed ") << name << std::endl;
    if (!ok) std::exit(1);
}

// Waits for one step of the call.
static bool next(grpc::CompletionQueue &queue)
{
    void *tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
}

// Sends all requests, then reads all answers: serves every shape.
static grpc::Status call(grpc::GenericStub &stub, grpc::ClientContext &context, const std::string &method,
                         const std::vector<std::string> &requests, std::vector<std::string> &answers)
{
    grpc::CompletionQueue queue;
    auto stream = stub.PrepareCall(&context, "/test.Echo/" + method, &queue);
    stream->StartCall(nullptr);
    bool open = next(queue);
    for (const auto &request : requests) {
        if (!open) break;
        stream->Write(bytes(request), nullptr);
        open = next(queue);
    }
    if (open) {
        stream->WritesDone(nullptr);
        next(queue);
    }
    grpc::ByteBuffer answer;
    for (stream->Read(&answer, nullptr); next(queue); stream->Read(&answer, nullptr))
        answers.push_back(text(answer));
    grpc::Status status;
    stream->Finish(&status, nullptr);
    next(queue);
    return status;
}

int main(int, char **argv)
{
    grpc::GenericStub stub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
    using strings = std::vector<std::string>;
    const struct {
        const char *method;
        strings requests, answers;
    } rows[] = {
        { "Unary", { "hello" }, { "hello" } },
        { "ClientStreaming", { "a", "b" }, { "a,b" } },
        { "ServerStreaming", { "1,2,3" }, { "1", "2", "3" } },
        { "Duplex", { "p", "q" }, { "p", "q" } },
        { "Unary", { std::string(3500000, 'x') }, { std::string(3500000, 'x') } },
    };
    for (const auto &row : rows) {
        grpc::ClientContext context;
        strings answers;
        check(row.method, call(stub, context, row.method, row.requests, answers).ok() && answers == row.answers);
    }

    grpc::ClientContext refused, late, unknown;
    strings none;
    grpc::Status status = call(stub, refused, "Unary", { "fail" }, none);
    check("refusal", status.error_code() == grpc::FAILED_PRECONDITION && status.error_message() == "100 % \xC3\x9F"
                         && status.error_details() == "\x08\x09");
    late.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    check("deadline", call(stub, late, "Unary", { "hang" }, none).error_code() == grpc::DEADLINE_EXCEEDED);
    check("unknown method", call(stub, unknown, "Nothing", { "" }, none).error_code() == grpc::UNIMPLEMENTED);
    std::cout << "done" << std::endl;
}
