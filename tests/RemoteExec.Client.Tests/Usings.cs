global using NUnit.Framework;
global using Digest = RemoteExec.Core.Digest;
global using DigestFunction = RemoteExec.Core.DigestFunction;
