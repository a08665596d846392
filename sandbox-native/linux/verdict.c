/* How an action ended, from what its init said, from what we did to it, and from what the kernel counted. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "launcher.h"

static void judge_command(const struct record *record, bool oom, struct exit_payload *exit)
{
    int status = record->status;
    exit->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    exit->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    exit->outcome = WIFSIGNALED(status) ? OUTCOME_SIGNALED : OUTCOME_EXITED;
    if (oom && exit->exit_code)
        exit->outcome = OUTCOME_MEMORY_LIMIT;
}

/* The last record of the init, NULL when it died before it had one; the outcome for which we killed it, or 0. */
void judge(const struct record *record, uint32_t stopped, bool oom, struct exit_payload *exit, char detail[DETAIL_BYTES_MAX])
{
    if (record && record->kind != RECORD_FAILED) {
        judge_command(record, oom, exit);
        return;
    }
    if (record) {
        exit->outcome = record->outcome;
        /* The worker knows the program and its PATH; only the errno is news. */
        snprintf(detail, DETAIL_BYTES_MAX, "%s: %s", record->step, strerror(record->error));
        return;
    }
    exit->exit_code = 128 + SIGKILL;
    exit->signal = SIGKILL;
    exit->outcome = stopped ? stopped : oom ? OUTCOME_MEMORY_LIMIT : OUTCOME_SETUP_FAILED;
    if (exit->outcome == OUTCOME_SETUP_FAILED)
        snprintf(detail, DETAIL_BYTES_MAX, "the sandbox's init was killed by somebody else");
}
