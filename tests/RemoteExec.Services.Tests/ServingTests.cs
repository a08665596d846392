using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1;
using NUnit.Framework;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace RemoteExec.Services.Tests;

/// <summary>REAPI R27, R28: health and reflection.</summary>
internal sealed class ServingTests : ServicesFixture
{
    private Health.HealthClient Health => new(Channel);

    private async Task<ServingStatus> CheckAsync(string service) =>
        (await Health.CheckAsync(new HealthCheckRequest { Service = service })).Status;

    private async Task<ServerReflectionResponse> ReflectAsync(ServerReflectionRequest request)
    {
        using var call = new ServerReflection.ServerReflectionClient(Channel).ServerReflectionInfo(cancellationToken: Soon);
        await call.RequestStream.WriteAsync(request, Soon);
        await call.RequestStream.CompleteAsync();
        Assert.That(await call.ResponseStream.MoveNext(Soon));
        return call.ResponseStream.Current;
    }

    [Test]
    public async Task A_server_serves_when_its_host_says_so()
    {
        Assert.That(await CheckAsync(""), Is.EqualTo(ServingStatus.NotServing));
        Services.SetServing(true);
        Assert.That(await CheckAsync(""), Is.EqualTo(ServingStatus.Serving));
        foreach (string service in (string[])["build.bazel.remote.execution.v2.Execution", "google.bytestream.ByteStream", "grpc.health.v1.Health"])
            Assert.That(await CheckAsync(service), Is.EqualTo(ServingStatus.Serving), service);
    }

    [Test] // health.proto: NOT_FOUND for Check
    public async Task An_unknown_service_is_NOT_FOUND() =>
        Assert.That(await CodeOf(() => CheckAsync("no.such.Service")), Is.EqualTo(StatusCode.NotFound));

    [Test] // health.proto: SERVICE_UNKNOWN for Watch
    public async Task Watching_tells_every_change()
    {
        using var watch = Health.Watch(new HealthCheckRequest(), cancellationToken: Soon);
        using var unknown = Health.Watch(new HealthCheckRequest { Service = "no.such.Service" }, cancellationToken: Soon);
        Assert.That(await watch.ResponseStream.MoveNext(Soon));
        Assert.That(watch.ResponseStream.Current.Status, Is.EqualTo(ServingStatus.NotServing));
        Services.SetServing(true);
        Assert.That(await watch.ResponseStream.MoveNext(Soon));
        Assert.That(watch.ResponseStream.Current.Status, Is.EqualTo(ServingStatus.Serving));
        Assert.That(await unknown.ResponseStream.MoveNext(Soon));
        Assert.That(unknown.ResponseStream.Current.Status, Is.EqualTo(ServingStatus.ServiceUnknown));
    }

    [Test] // health.proto has it by now; what serves health here does not
    public async Task A_list_of_the_health_of_all_is_not_offered_and_says_so()
    {
        var bytes = Marshallers.Create(bytes => bytes, bytes => bytes);
        var list = new Method<byte[], byte[]>(MethodType.Unary, "grpc.health.v1.Health", "List", bytes, bytes);

        var refusal = await FailureOf(async () => await Channel.CreateCallInvoker().AsyncUnaryCall(list, null, new CallOptions(cancellationToken: Soon), []));

        Assert.That(
            (refusal.StatusCode, refusal.Status.Detail),
            Is.EqualTo((StatusCode.Unimplemented, "/grpc.health.v1.Health/List is not offered by this server")));
    }

    [Test]
    public async Task Reflection_lists_every_service()
    {
        var answer = await ReflectAsync(new ServerReflectionRequest { ListServices = "*" });

        Assert.That(answer.ListServicesResponse.Service.Select(service => service.Name), Is.SupersetOf(new[]
        {
            "build.bazel.remote.execution.v2.ActionCache",
            "build.bazel.remote.execution.v2.Capabilities",
            "build.bazel.remote.execution.v2.ContentAddressableStorage",
            "build.bazel.remote.execution.v2.Execution",
            "google.bytestream.ByteStream",
            "google.longrunning.Operations",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "remoteexec.v1.WorkerPool",
        }));
    }

    [TestCase("build.bazel.remote.execution.v2.Execution")]
    [TestCase("build.bazel.remote.execution.v2.Execution.Execute")]
    [TestCase("build.bazel.remote.execution.v2.DigestFunction.Value")]
    public async Task A_symbol_gives_its_file_and_all_imports(string symbol)
    {
        var answer = await ReflectAsync(new ServerReflectionRequest { FileContainingSymbol = symbol });

        var files = answer.FileDescriptorResponse.FileDescriptorProto.Select(FileDescriptorProto.Parser.ParseFrom).ToArray();
        Assert.That(files[0].Name, Is.EqualTo("build/bazel/remote/execution/v2/remote_execution.proto"));
        Assert.That(files.SelectMany(file => file.Dependency).Distinct(), Is.SubsetOf(files.Select(file => file.Name)));
    }

    [Test]
    public async Task Files_and_unknown_names_are_answered()
    {
        var file = await ReflectAsync(new ServerReflectionRequest { FileByFilename = "google/bytestream/bytestream.proto" });
        var unknown = await ReflectAsync(new ServerReflectionRequest { FileContainingSymbol = "no.such.Thing" });

        Assert.That(file.FileDescriptorResponse.FileDescriptorProto, Has.Count.EqualTo(1));
        Assert.That((StatusCode)unknown.ErrorResponse.ErrorCode, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task Older_tools_get_the_same_answers()
    {
        using var call = new Grpc.Reflection.V1Alpha.ServerReflection.ServerReflectionClient(Channel).ServerReflectionInfo(cancellationToken: Soon);
        await call.RequestStream.WriteAsync(new Grpc.Reflection.V1Alpha.ServerReflectionRequest { ListServices = "*" }, Soon);
        Assert.That(await call.ResponseStream.MoveNext(Soon));

        Assert.That(
            call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name),
            Does.Contain("build.bazel.remote.execution.v2.Execution"));
    }
}
