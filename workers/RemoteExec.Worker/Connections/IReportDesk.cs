using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>What a coordinator in this process answers beside the stream of <see cref="InMemoryCoordinatorStream"/>.</summary>
public interface IReportDesk
{
    ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken);

    ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken);
}
