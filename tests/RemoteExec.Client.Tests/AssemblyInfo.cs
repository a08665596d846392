using System.Runtime.Versioning;

// File modes, links and pipes are asked about as Linux has them.
[assembly: SupportedOSPlatform("linux")]

// A store and a folder of its own for every test.
[assembly: FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
