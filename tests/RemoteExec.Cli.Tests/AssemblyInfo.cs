using System.Runtime.Versioning;

// File modes, links and devices are asked about as Linux has them.
[assembly: SupportedOSPlatform("linux")]

// A server and a folder of its own for every test.
[assembly: FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
