using System.Globalization;
using System.Text;
using RemoteExec.Scheduling.Local;

namespace RemoteExec.Scheduling.Tests;

/// <summary>
/// The process that a test kills: appends for ever from several tasks, and says each record's number on standard
/// output once it is durable.
/// </summary>
internal static class JournalVictim
{
    private const int Writers = 4;

    public static async Task<int> Main(string[] arguments)
    {
        await using var journal = new FileOperationJournal(new FileOperationJournalOptions
        {
            Directory = arguments[0],
            // Small, so that compactions are among the moments of death.
            CompactAfterBytes = 16 << 10,
        });
        await journal.RecoverAsync(default);
        await using var output = Console.OpenStandardOutput();
        using var gate = new SemaphoreSlim(1, 1);
        var state = new List<JournalRecord>();
        int next = 0;

        async Task WriteAsync()
        {
            while (true)
            {
                // Appending and adding to the state happen together, as under the scheduler's lock.
                Task durable;
                int number;
                await gate.WaitAsync();
                try
                {
                    number = next++;
                    JournalRecord[] records = [Record(number), Record(number)];
                    state.AddRange(records);
                    durable = journal.AppendAsync(records, default).AsTask();
                    if (journal.WantsCompaction) _ = journal.CompactAsync([.. state], default).AsTask();
                }
                finally
                {
                    gate.Release();
                }

                await durable;
                await output.WriteAsync(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture) + "\n"));
            }
        }

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => WriteAsync()));
        return 0;
    }

    /// <summary>Two of each are written in one append: recovery must find both or neither.</summary>
    public static JournalRecord Record(int number) =>
        new JournalRecord.OperationForgotten(number.ToString("d8", CultureInfo.InvariantCulture));
}
