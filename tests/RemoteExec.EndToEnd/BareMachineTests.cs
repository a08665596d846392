using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// What <c>./eng/up</c> does on a machine that lacks everything: it asks before it uses sudo or fetches the SDK, <c>--yes</c> agrees, and where nobody can
/// answer it says what to do. On stand-ins, so that nothing of this machine changes.
/// </summary>
public sealed class BareMachineTests
{
    private const string NobodyAnswers = "Nobody can answer here: say --yes";
    private const string ByHand = "section \"The .NET SDK by hand\"";
    private const string FetchScript = "curl -fsSL https://dot.net/v1/dotnet-install.sh";

    [Test]
    public async Task Where_nobody_can_answer_nothing_is_installed_and_the_words_name_the_remedy()
    {
        using var machine = new BareMachine();

        var (exitCode, said) = await machine.TypeAsync("./eng/up");

        Assert.That(exitCode, Is.EqualTo(2), said);
        Assert.That(machine.Calls, Is.Empty);
        Assert.That(said, Does.Contain(NobodyAnswers).And.Contains("sudo apt-get install gcc").And.Not.Contains("serving"));
    }

    [Test]
    public async Task Where_only_the_SDK_is_missing_nothing_is_fetched_and_the_words_name_the_remedy()
    {
        using var machine = new BareMachine();
        machine.WriteCompiler();

        var (exitCode, said) = await machine.TypeAsync("./eng/up");

        Assert.That(exitCode, Is.EqualTo(2), said);
        Assert.That(machine.Calls, Is.Empty);
        Assert.That(said, Does.Contain(NobodyAnswers).And.Contains(ByHand));
        Assert.That(Directory.EnumerateFileSystemEntries(machine.Home), Is.Empty);
    }

    [Test]
    public async Task Yes_installs_all_that_is_missing_and_serves_and_the_next_time_nothing_is_missing()
    {
        using var machine = new BareMachine();

        var (exitCode, said) = await machine.TypeAsync("./eng/up --yes --slots 3");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(said, Does.Contain("serving with --slots 3"));
        Assert.That(machine.Calls.Where(call => call.StartsWith("sudo", StringComparison.Ordinal)), Has.All.Contains(" apt-get "));
        Assert.That(machine.Calls, Has.One.Contains(" gcc ").And.Contains(" make").And.StartsWith("apt-get install -y --no-install-recommends "));
        Assert.That(machine.Calls[^1], Does.StartWith(FetchScript));

        int before = machine.Calls.Count;
        (exitCode, said) = await machine.TypeAsync("touch src/changed; ./eng/up");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(machine.Calls, Has.Count.EqualTo(before));
        Assert.That(said, Does.Contain("Building").And.Contains("serving with"));
    }

    [Test]
    public async Task At_a_terminal_it_asks_and_no_is_no()
    {
        using var machine = new BareMachine();

        var (exitCode, said) = await machine.TypeAtTerminalAsync("./eng/up", "n");

        Assert.That(exitCode, Is.EqualTo(2), said);
        Assert.That(machine.Calls, Is.Empty);
        Assert.That(said, Does.Contain("'sudo apt-get install'? [y/N]").And.Contains("Install them by hand").And.Not.Contains(NobodyAnswers));
    }

    [Test]
    public async Task At_a_terminal_the_SDK_is_asked_for_by_itself()
    {
        using var machine = new BareMachine();

        var (exitCode, said) = await machine.TypeAtTerminalAsync("./eng/up", "y", "n");

        Assert.That(exitCode, Is.EqualTo(2), said);
        Assert.That(machine.Calls, Has.One.StartsWith("sudo ").And.Contains(" apt-get install "));
        Assert.That(said, Does.Contain($"Fetch it by Microsoft's script (dot.net) into {machine.Home}/.dotnet? [y/N]").And.Contains(ByHand));
    }

    [Test]
    public async Task At_a_terminal_yes_to_each_question_serves()
    {
        using var machine = new BareMachine();

        var (exitCode, said) = await machine.TypeAtTerminalAsync("./eng/up", "y", "y", "y");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(said, Does.Contain("serving with"));
    }

    [Test]
    public async Task Where_the_system_has_the_SDK_as_a_package_it_is_the_package_also_beside_an_older_dotnet()
    {
        using var machine = new BareMachine();
        machine.WriteCompiler();
        machine.Write("apt-cache", "[ \"$*\" = 'show dotnet-sdk-10.0' ]");
        machine.Write("dotnet", "echo '8.0.100 [/sdk]'");

        var (exitCode, said) = await machine.TypeAsync("./eng/up --yes");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(machine.Calls[^1], Is.EqualTo("apt-get install -y --no-install-recommends dotnet-sdk-10.0"));
    }

    [Test]
    public async Task An_SDK_in_the_home_folder_is_found_also_beside_an_older_dotnet()
    {
        using var machine = new BareMachine();
        machine.WriteCompiler();
        machine.Write("dotnet", "echo '8.0.100 [/sdk]'");
        machine.BringHomeSdk();

        var (exitCode, said) = await machine.TypeAsync("./eng/up");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(machine.Calls, Is.Empty);
    }

    [Test]
    public async Task Where_the_script_cannot_be_fetched_the_words_name_the_remedy()
    {
        using var machine = new BareMachine();
        machine.WriteCompiler();
        machine.Write("curl", "exit 6");

        var (exitCode, said) = await machine.TypeAsync("./eng/up --yes");

        Assert.That(exitCode, Is.EqualTo(2), said);
        Assert.That(said, Does.Contain("Fetching the SDK failed.").And.Contains(ByHand).And.Not.Contains("serving"));
    }

    [Test]
    public async Task Root_is_not_asked_about_packages_and_needs_no_sudo()
    {
        using var machine = new BareMachine();
        machine.Write("id", "echo 0");
        machine.BringHomeSdk();

        var (exitCode, said) = await machine.TypeAsync("./eng/up");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(machine.Calls, Has.None.StartsWith("sudo"));
        Assert.That(machine.Calls, Has.One.StartsWith("apt-get install"));
    }

    [Test]
    public async Task By_hand_the_lines_of_the_README_bring_an_SDK_that_is_found()
    {
        using var machine = new BareMachine();

        var (exitCode, said) = await machine.TypeAsync(ReadmeBlock.Named("sdk").Text + "test \"$(command -v dotnet)\" = \"$HOME/.dotnet/dotnet\"\ndotnet --list-sdks\n");

        Assert.That(exitCode, Is.Zero, said);
        Assert.That(said, Does.Contain("10.0.100"));
        Assert.That(machine.Calls, Has.One.StartsWith("sudo apt-get install -y curl"));
        Assert.That(machine.Calls, Has.One.StartsWith(FetchScript));
    }
}
