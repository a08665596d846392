using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>The rules, one by one.</summary>
[TestFixture]
internal sealed class BuildQueueTests : QueueFixture
{
    [Test]
    public void Equal_requests_share_an_execution_and_keep_their_own_names()
    {
        var first = Submit(Build.Request());
        var second = Submit(Build.Request());

        Assert.That(second.Execution, Is.SameAs(first.Execution));
        Assert.That(second.Name, Is.Not.EqualTo(first.Name));
        Assert.That((first.IsMerged, second.IsMerged), Is.EqualTo((false, true)));
    }

    [Test]
    public void Another_instance_is_another_execution()
    {
        Assert.That(Core.InstanceName.TryParse("main", out var instance, out _));
        var first = Submit(Build.Request());
        var second = Submit(Build.Request() with { Instance = instance });

        Assert.That(second.Execution, Is.Not.SameAs(first.Execution));
    }

    [Test]
    public void What_must_not_be_cached_is_not_merged()
    {
        var first = Submit(Build.Request() with { DoNotCache = true });
        var second = Submit(Build.Request() with { DoNotCache = true });

        Assert.That(second.Execution, Is.Not.SameAs(first.Execution));
    }

    [Test]
    public void Skipping_the_cache_joins_what_has_not_been_given_out_and_nothing_else()
    {
        var skip = Build.Request() with { SkipCacheLookup = true };
        var queued = Submit(Build.Request());
        Assert.That(Submit(skip).Execution, Is.SameAs(queued.Execution));

        Join(Build.Worker());
        var fresh = Submit(skip);
        Assert.That(fresh.Execution, Is.Not.SameAs(queued.Execution));
        Assert.That(Submit(Build.Request()).Execution, Is.SameAs(fresh.Execution), "the newest is joined");
    }

    [Test]
    public void A_lower_priority_value_runs_first_and_equals_run_in_order()
    {
        Submit(Build.Request(1));
        Submit(Build.Request(2) with { Priority = -1 });
        Submit(Build.Request(3) with { Priority = 5 });
        Submit(Build.Request(4));
        Join(Build.Worker(slots: 4));

        Assert.That(Offered().Select(lease => lease.Request.Action), Is.EqualTo(new[] { 2, 1, 4, 3 }.Select(Build.Digest)));
    }

    [Test]
    public void An_urgent_client_pulls_the_execution_that_it_joins()
    {
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        Submit(Build.Request(2) with { Priority = -1 });
        Join(Build.Worker());

        Assert.That(Offered().Single().Request.Action, Is.EqualTo(Build.Digest(2)));
    }

    [Test]
    public void Bad_luck_does_not_cost_the_place_in_the_line()
    {
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        long session = Join(Build.Worker("w1"));
        var unlucky = Offered().Single();
        Queue.Drain("w1", session, Now);
        Queue.Report("w1", unlucky.Id, Build.Broken(), Now);
        WaitOut();
        Join(Build.Worker("w2"));

        Assert.That(Offered().Single().Id, Is.EqualTo(unlucky.Id with { Attempt = 2 }));
    }

    [Test]
    public void The_least_loaded_worker_is_next_and_among_equals_the_longest_idle()
    {
        Join(Build.Worker("big", slots: 4));
        Join(Build.Worker("small", slots: 1));
        var workers = new List<string?>();
        for (int action = 1; action <= 3; action++) workers.Add(Submit(Build.Request(action)).Execution.WorkerId);

        Assert.That(workers, Is.EqualTo(new[] { "big", "small", "big" }));
    }

    [Test]
    public void A_property_must_be_offered_and_a_repeated_one_with_each_value()
    {
        Join(Build.Worker("w1", slots: 9, "OSFamily=linux", "ISA=x86-64", "ISA=x86-avx2"));
        Assert.That(IsTaken("OSFamily=linux"));
        Assert.That(IsTaken("ISA=x86-64", "ISA=x86-avx2"));
        Assert.That(IsTaken("ISA=x86-64", "ISA=x86-avx512"), Is.False);
        Assert.That(IsTaken("container-image=docker://debian"), Is.False);
        Assert.That(IsTaken("OSFamily=Linux"), "the lexicon's values are compared without case");
        Assert.That(IsTaken("cache-silo-key=x"), "hash-only keys say nothing about placement");
    }

    [TestCase("Pool=gpu", true)]
    [TestCase("pool=gpu", true)]
    [TestCase("Pool=default", false)]
    public void A_pool_is_a_property_in_either_spelling(string asked, bool isTaken)
    {
        Join(Build.Worker() with { Pool = "gpu" });
        Assert.That(IsTaken(asked), Is.EqualTo(isTaken));
    }

    [Test]
    public void A_worker_without_a_pool_is_in_the_default_one()
    {
        Join(Build.Worker());
        Assert.That(IsTaken("Pool=default"));
    }

    [TestCase("OSFamily=linus\u001b[31m\r\n", "asks for OSFamily=linus\\u001b[31m\\u000d\\u000a, the nearest")]
    [TestCase("gpu\u202e=1\a", "asks for gpu\\u202e=1\\u0007, which no worker offers")]
    public void A_refusal_is_one_line_whatever_a_client_calls_its_properties(string property, string says)
    {
        long session = Join(Build.Worker("w1", 1, "OSFamily=linux"));
        var operation = Submit(Build.Request(1, property));

        KeepAlive(session, Options.UnsatisfiableMax);
        PublishEnded();

        Assert.That(operation.Outcome!.Message, Does.Contain(says));
        Assert.That(operation.Outcome.Message.Any(char.IsControl), Is.False);
    }

    [Test]
    public void What_nobody_offers_fails_in_time_and_names_the_nearest_known_value()
    {
        long session = Join(Build.Worker("w1", 1, "OSFamily=linux", "ISA=x86-64"));
        var operation = Submit(Build.Request(1, "OSFamily=linus") with
        {
            Origin = new RequestOrigin { TargetId = "//net:http_test" },
        });
        KeepAlive(session, Options.UnsatisfiableMax - TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued), "a worker may be about to join");

        KeepAlive(session, TimeSpan.FromSeconds(1));
        PublishEnded();
        Assert.That(operation.Outcome!.Code, Is.EqualTo(OutcomeCode.FailedPrecondition));
        Assert.That(operation.Outcome.Message, Does.StartWith("REX2107: no worker matches this action (//net:http_test)"));
        Assert.That(operation.Outcome.Message, Does.Contain("it asks for OSFamily=linus, the nearest that is offered is OSFamily=linux"));
        Assert.That(operation.Outcome.Message, Does.Contain("ISA=x86-64, OSFamily=linux, Pool=default (1 worker)"));
    }

    [Test]
    public void An_unknown_property_is_named_together_with_the_likely_one()
    {
        long session = Join(Build.Worker("w1", 1, "OSFamily=linux"));
        var operation = Submit(Build.Request(1, "OSFamly=linux"));
        KeepAlive(session, Options.UnsatisfiableMax);
        PublishEnded();

        Assert.That(operation.Outcome!.Message, Does.Contain("OSFamly=linux, which no worker knows; did you mean OSFamily?"));
    }

    [Test]
    public void Without_any_worker_the_answer_invites_a_retry()
    {
        var operation = Submit(Build.Request());
        Advance(Options.UnsatisfiableMax);
        PublishEnded();

        Assert.That(operation.Outcome!.Code, Is.EqualTo(OutcomeCode.Unavailable));
        Assert.That(operation.Outcome.Message, Does.Contain("none is connected"));
    }

    [Test]
    public void A_worker_that_joins_in_time_takes_what_seemed_unsatisfiable()
    {
        var operation = Submit(Build.Request(1, "Pool=gpu"));
        Advance(Options.UnsatisfiableMax - TimeSpan.FromSeconds(1));
        Join(Build.Worker() with { Pool = "gpu" });

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void A_report_of_an_older_attempt_changes_nothing()
    {
        var operation = Submit(Build.Request());
        Join(Build.Worker("slow"));
        var stale = operation.Execution.LeaseId;
        Advance(Options.WorkerSilenceMax);
        Join(Build.Worker("quick"));
        WaitOut();
        Join(Build.Worker("slow") with { Running = [stale] });

        Assert.That(Queue.Report("slow", stale, Build.Ok("stale"), Now), Is.EqualTo(ReportVerdict.Stale));
        Assert.That(operation.Execution.Outcome, Is.Null);
        Assert.That(
            Queue.Report("quick", operation.Execution.LeaseId, Build.Ok("fresh"), Now), Is.EqualTo(ReportVerdict.Accepted));
        Assert.That(operation.Execution.Outcome!.Response.ToArray(), Is.EqualTo("fresh"u8.ToArray()));
    }

    [Test]
    public void A_worker_that_comes_back_in_time_goes_on_with_what_it_runs()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        var lease = operation.Execution.LeaseId;
        Queue.Disconnected("w1", session, Now);
        Advance(Options.RejoinGrace - TimeSpan.FromSeconds(1));
        Join(Build.Worker() with { Running = [lease] });
        Advance(TimeSpan.FromSeconds(2));

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Running));
        Assert.That(Queue.Report("w1", lease, Build.Ok(), Now), Is.EqualTo(ReportVerdict.Accepted));
    }

    [Test]
    public void A_worker_that_comes_back_without_its_lease_gets_it_as_a_new_attempt()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        Offered();
        Queue.Disconnected("w1", session, Now);
        Join(Build.Worker());
        WaitOut();

        Assert.That(operation.Execution.Attempt, Is.EqualTo(2));
        Assert.That(operation.Execution.Losses, Is.EqualTo(1));
    }

    [Test]
    public void A_worker_that_stays_away_loses_its_leases()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        Queue.Disconnected("w1", session, Now);
        Advance(Options.RejoinGrace);

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));
        Assert.That(operation.Execution.Lost.Single().Reason, Does.Contain("did not come back"));
    }

    [Test]
    public void The_newer_session_of_a_worker_takes_over()
    {
        long old = Join(Build.Worker());
        Queue.TakeTransitions();
        Join(Build.Worker());

        Assert.That(Told().Single(), Is.InstanceOf<WorkerCommand.End>());
        Queue.Disconnected("w1", old, Now);
        Assert.That(Queue.Snapshot(Now).Workers.Single().State, Is.EqualTo(WorkerState.Ready), "the old connection's end says nothing");
    }

    [Test]
    public void A_silent_worker_is_lost_after_three_heartbeats_and_a_talking_one_is_not()
    {
        long talking = Join(Build.Worker("talking"));
        Join(Build.Worker("silent"));
        KeepAlive(talking, Options.WorkerSilenceMax, "talking");

        Assert.That(Queue.Snapshot(Now).Workers.Select(worker => worker.Description.Id), Is.EqualTo(new[] { "talking" }));
    }

    [Test]
    public void When_we_stood_still_ourselves_workers_are_heard_first()
    {
        Join(Build.Worker());
        var later = Now.After(TimeSpan.FromMinutes(5));
        Queue.Tick(later);

        Assert.That(Queue.Snapshot(later).Workers, Has.Count.EqualTo(1));
        Queue.Tick(later.After(Options.WorkerSilenceMax));
        Assert.That(Queue.Snapshot(later).Workers, Is.Empty);
    }

    [Test]
    public void A_mistake_about_one_does_not_stop_the_clock_for_the_others()
    {
        bool isBroken = false;
        ulong ids = 0;
        var queue = new BuildQueue(Options, () => isBroken ? throw new TimeZoneNotFoundException("no one thought of this") : ++ids);
        var first = queue.Submit(Build.Request(1), Now);
        var second = queue.Submit(Build.Request(2, "Pool=nowhere"), Now);
        queue.Join(Build.Worker("silent"), Now);
        // What is lost with its worker draws lots for its wait.
        isBroken = true;
        queue.Tick(Now.After(Options.WorkerSilenceMax));
        queue.Tick(Now.After(Options.UnsatisfiableMax));

        Assert.That(first.Execution.Holder, Is.Not.Null, "the test has lost its meaning");
        Assert.That(second.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [Test]
    public void A_job_that_kills_its_worker_stops_and_tells_the_story()
    {
        var operation = Submit(Build.Request());
        for (int attempt = 1; attempt <= Options.AttemptsMax; attempt++)
        {
            Join(Build.Worker($"w{attempt}"));
            Advance(Options.WorkerSilenceMax);
        }

        PublishEnded();
        Assert.That(operation.Outcome!.Code, Is.EqualTo(OutcomeCode.Unavailable));
        Assert.That(operation.Outcome.Message, Does.StartWith("gave up after 5 lost attempts: attempt 1 on w1: its worker was silent"));
        Assert.That(operation.Outcome.Message, Does.Contain("attempt 5 on w5"));
    }

    [Test]
    public void A_lease_handed_back_by_a_leaving_worker_does_not_count()
    {
        var operation = Submit(Build.Request());
        for (int i = 0; i < Options.AttemptsMax * 2; i++)
        {
            long session = Join(Build.Worker($"w{i}"));
            Queue.Drain($"w{i}", session, Now);
            Queue.HandBack($"w{i}", session, operation.Execution.LeaseId, Now);
        }

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));
        Assert.That((operation.Execution.Losses, operation.Execution.Attempt), Is.EqualTo((0, Options.AttemptsMax * 2)));
    }

    [Test]
    public void A_failed_attempt_goes_to_another_worker_where_there_is_one()
    {
        long bad = Join(Build.Worker("bad"));
        var operation = Submit(Build.Request());
        Join(Build.Worker("good"));
        Queue.Report("bad", operation.Execution.LeaseId, Build.Broken(), Now);
        WaitOut();

        Assert.That(operation.Execution.WorkerId, Is.EqualTo("good"));
    }

    [Test]
    public void Different_executions_that_fail_quarantine_a_worker_and_a_probe_lets_it_back()
    {
        long session = Join(Build.Worker("w1", slots: 3));
        var operations = Enumerable.Range(1, 3).Select(action => Submit(Build.Request(action))).ToArray();
        foreach (var operation in operations)
            Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Quarantined));
        foreach (var operation in operations) Queue.Cancel(operation.Name, Now);
        Queue.Heartbeat("w1", session, [], Now);
        var next = new[] { Submit(Build.Request(7)), Submit(Build.Request(8)) };
        Assert.That(next.Select(operation => operation.Execution.State), Is.All.EqualTo(ExecutionState.Queued));

        KeepAlive(session, Options.QuarantineFirst);
        Assert.That(
            next.Select(operation => operation.Execution.State),
            Is.EqualTo(new[] { ExecutionState.Leased, ExecutionState.Queued }), "one lease is the probe");

        Queue.Report("w1", next[0].Execution.LeaseId, Build.Ok(), Now);
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Ready));
        Assert.That(next[1].Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void One_poisonous_job_does_not_quarantine_its_worker()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        for (int i = 0; i < Options.AttemptsMax; i++)
        {
            Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
            KeepAlive(session, Options.AttemptWaitMax);
        }

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Completed));
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Ready));
    }

    [Test]
    public void A_failed_probe_doubles_the_quarantine()
    {
        Options = Options with { QuarantineAfter = 1 };
        NewQueue();
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
        KeepAlive(session, Options.QuarantineFirst);
        Assert.That(operation.Execution.Attempt, Is.EqualTo(2));
        Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);

        KeepAlive(session, Options.QuarantineFirst * 2 - TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.Attempt, Is.EqualTo(2));
        KeepAlive(session, TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.Attempt, Is.EqualTo(3));
    }

    [Test]
    public void Cancelling_one_of_two_leaves_the_other_running()
    {
        var first = Submit(Build.Request());
        var second = Submit(Build.Request());
        long session = Join(Build.Worker());
        Queue.Cancel(first.Name, Now);

        Assert.That(first.Outcome!.Code, Is.EqualTo(OutcomeCode.Cancelled));
        Assert.That(second.IsDone, Is.False);
        Queue.Report("w1", second.Execution.LeaseId, Build.Ok(), Now);
        PublishEnded();
        Assert.That(second.Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
        Assert.That(first.Outcome.Code, Is.EqualTo(OutcomeCode.Cancelled), "an end is an end");
    }

    [Test]
    public void A_cancelled_run_keeps_its_slot_until_the_worker_is_done_with_it()
    {
        var running = Submit(Build.Request(1));
        long session = Join(Build.Worker());
        var cancelled = Offered().Single().Id;
        Queue.Cancel(running.Name, Now);
        var waiting = Submit(Build.Request(2));
        Queue.Heartbeat("w1", session, [cancelled], Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued));

        Queue.Heartbeat("w1", session, [], Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void What_nobody_watches_is_cancelled_after_the_grace()
    {
        var operation = Submit(Build.Request() with
        {
            Origin = new RequestOrigin { ToolName = "bazel", ToolInvocationId = "3fe1" },
        });
        long session = Join(Build.Worker());
        Unwatch(operation, isCancelled: false);
        KeepAlive(session, Options.AbandonedGrace - TimeSpan.FromSeconds(2));
        Assert.That(operation.IsDone, Is.False);
        Queue.TakeTransitions();
        KeepAlive(session, TimeSpan.FromSeconds(2));

        Assert.That(operation.Outcome!.Code, Is.EqualTo(OutcomeCode.Cancelled));
        Assert.That(operation.Outcome.Message, Does.Contain("its client (bazel 3fe1) left 60 s ago"));
        Assert.That(Told().Single(), Is.InstanceOf<WorkerCommand.CancelLease>());
    }

    [Test]
    public void A_client_that_attaches_again_in_time_keeps_its_operation()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        Unwatch(operation, isCancelled: false);
        KeepAlive(session, Options.AbandonedGrace - TimeSpan.FromSeconds(2));
        Assert.That(Queue.Watch(operation.Name, Now), Is.Not.Null);
        KeepAlive(session, TimeSpan.FromMinutes(10));

        Assert.That(operation.IsDone, Is.False);
    }

    [Test]
    public void A_lease_that_the_worker_forgot_is_taken_back()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        var lease = Offered().Single().Id;
        Queue.Started("w1", session, lease, waited: TimeSpan.Zero, Now);
        Queue.Heartbeat("w1", session, [], Now);
        Assert.That(operation.Execution.LeaseId, Is.EqualTo(lease), "one heartbeat may have crossed the offer");

        for (int beat = 0; beat < 3; beat++)
        {
            Advance(Options.HeartbeatInterval);
            Queue.Heartbeat("w1", session, [], Now);
        }

        WaitOut();
        Assert.That(operation.Execution.Attempt, Is.EqualTo(2));
        Assert.That(operation.Execution.Lost.Single().Reason, Does.Contain("no longer knows"));
    }

    [Test]
    public void A_worker_is_told_to_stop_what_is_not_its_own()
    {
        var stranger = new LeaseId(new ExecutionId(77), 3);
        long session = Join(Build.Worker() with { Running = [stranger] });
        Assert.That(((WorkerCommand.CancelLease)Told().Single()).Lease, Is.EqualTo(stranger));

        var waiting = Submit(Build.Request());
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued), "its processes still take the slot");
        Queue.Heartbeat("w1", session, [], Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void Beyond_the_bound_requests_are_refused_until_there_is_room()
    {
        Options = Options with { QueuedMax = 2 };
        NewQueue();
        Submit(Build.Request(1));
        var second = Submit(Build.Request(2));
        var refusal = Assert.Throws<SchedulingException>(() => Submit(Build.Request(3)));

        Assert.That(refusal!.Code, Is.EqualTo(OutcomeCode.ResourceExhausted));
        Assert.That(refusal.RetryAfter, Is.Not.Null);
        Assert.That(Submit(Build.Request(2)).Execution, Is.SameAs(second.Execution), "joining takes no room");
        Queue.Cancel(Submit(Build.Request(1)).Name, Now);
    }

    [Test]
    public void Finished_operations_leave_by_age_by_number_and_by_size()
    {
        Options = Options with { FinishedMax = 3, FinishedBytesMax = 10 };
        NewQueue();
        long session = Join(Build.Worker());
        var small = Enumerable.Range(1, 4).Select(action => Run(session, action, "r")).ToArray();
        Submit(Build.Request(90));
        Assert.That(small.Select(operation => Queue.Find(operation.Name) is not null), Is.EqualTo(new[] { false, true, true, true }));

        Queue.Report("w1", Queue.Snapshot(Now).Workers[0].Leases[0], Build.Ok("123456789a"), Now);
        PublishEnded();
        Submit(Build.Request(91));
        Assert.That(small.Count(operation => Queue.Find(operation.Name) is not null), Is.Zero);

        KeepAlive(session, Options.FinishedRetention);
        Assert.That(Queue.Snapshot(Now).RecentlyFinished, Is.Empty);
    }

    [Test]
    public void A_snapshot_shows_what_waits_and_who_runs_what()
    {
        Join(Build.Worker("w1", slots: 2));
        Submit(Build.Request(1));
        Submit(Build.Request(2, "Pool=gpu"));
        Advance(TimeSpan.FromSeconds(1));
        Submit(Build.Request(3, "Pool=gpu") with { Priority = -1 });
        Advance(TimeSpan.FromSeconds(1));
        var snapshot = Queue.Snapshot(Now);

        Assert.That((snapshot.Queued, snapshot.Leased, snapshot.Running), Is.EqualTo((2, 1, 0)));
        Assert.That(snapshot.Workers.Single().SlotsUsed, Is.EqualTo(1));
        var gpu = snapshot.Platforms.Single(platform => platform.Pool == "gpu");
        Assert.That((gpu.Queued, gpu.IsSatisfiable, gpu.OldestAge), Is.EqualTo((2, false, (TimeSpan?)TimeSpan.FromSeconds(2))), "the oldest is not the next");
    }

    private Operation Run(long session, int action, string response)
    {
        var operation = Submit(Build.Request(action));
        Queue.Report("w1", operation.Execution.LeaseId, Build.Ok(response), Now);
        PublishEnded();
        return operation;
    }

    private bool IsTaken(params string[] properties) =>
        Submit(Build.Request(properties.Length, properties) with { DoNotCache = true }).Execution.State == ExecutionState.Leased;
}
