using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class DigestFunctionsTests
{
    public static IEnumerable<DigestFunction> Functions => DigestFunctions.Supported;

    [TestCaseSource(nameof(Functions))]
    public void REAPI_D4_a_function_is_inferred_from_its_length_unless_it_has_to_be_named(DigestFunction function)
    {
        Assert.That(DigestFunctions.TryInfer(function.HashBytes() * 2, unnamed: default, out var inferred), Is.True);
        Assert.That(inferred == function, Is.EqualTo(!function.IsNamedInResources()));
    }

    [TestCase(0)]
    [TestCase(63)]
    [TestCase(256)]
    public void REAPI_D4_no_function_has_another_length(int hexLength) =>
        Assert.That(DigestFunctions.TryInfer(hexLength, unnamed: default, out _), Is.False);

    [TestCaseSource(nameof(Functions))]
    public void REAPI_D3_a_function_crosses_the_wire_by_number_and_by_name(DigestFunction function)
    {
        Assert.That(DigestFunctions.TryFromNumber((int)function, out var byNumber), Is.True);
        Assert.That(DigestFunctions.TryFromWireName(function.WireName(), out var byName), Is.True);
        Assert.That((byNumber, byName), Is.EqualTo((function, function)));
    }

    // UNKNOWN, VSO, MURMUR3, and numbers that REAPI has not given out.
    [TestCase(0)]
    [TestCase(4)]
    [TestCase(7)]
    [TestCase(11)]
    [TestCase(-1)]
    [TestCase(257)]
    public void REAPI_D3_a_function_that_we_do_not_compute_is_refused(int number) =>
        Assert.That(DigestFunctions.TryFromNumber(number, out _), Is.False);
}
