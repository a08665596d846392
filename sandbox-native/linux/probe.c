/* --probe: builds every wall once, and says of each whether it stands. Lines of "bit TAB yes|no TAB name TAB reason". */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "launcher.h"

static const struct {
    enum wall wall;
    const char *name;
} names[] = {
    { WALL_USER, "user" }, { WALL_ROOT, "root" },         { WALL_PROCESSES, "processes" },     { WALL_NETWORK, "network" },
    { WALL_IPC, "ipc" },   { WALL_HOSTNAME, "hostname" }, { WALL_SYSTEMCALLS, "systemcalls" }, { WALL_LIMITS, "limits" },
};

/* Builds the walls around nothing; on failure says which could not be built. */
static bool try_walls(const struct config *config, uint32_t walls, struct cgroup_slot *cgroup, struct failure *failure)
{
    static char *no_words[] = { NULL };
    struct spec spec = { .walls = walls, .input_root = "/", .working_directory = "", .host_name = "probe",
                         .arguments = no_words, .environment = no_words, .memory_bytes = 1 << 30,
                         .cpu_millicores = 1000, .processes_max = 100 };
    static struct record record;
    struct child child;

    *failure = (struct failure){ "cgroup", WALL_LIMITS, 0 };
    if ((walls & WALL_LIMITS) && !cgroup_prepare(cgroup, 0, &spec, &failure->step)) {
        failure->error = errno;
        return false;
    }
    if (!sandbox_start(config, &spec, walls & WALL_LIMITS ? cgroup : NULL, true, &child, failure))
        return false;
    ssize_t count = recv(child.control, &record, sizeof record, 0);
    while (waitpid(child.pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    close(child.control), close(child.out), close(child.err), close(child.pidfd);
    if (count == (ssize_t)sizeof record && record.kind == RECORD_ENDED)
        return true;
    bool told = count == (ssize_t)sizeof record;
    *failure = (struct failure){ told ? record.step : "init", told ? record.wall : WALL_PROCESSES, told ? record.error : EIO };
    return false;
}

int probe(const struct config *config)
{
    char reasons[COUNT(names)][320] = { "" };
    char limits_reason[256] = "";
    struct cgroup_slot cgroup = { 0 };
    uint32_t standing = WALL_ALL, broken = 0;
    const char *step = "namespaces";

    if (!cgroups_start(limits_reason, sizeof limits_reason)) {
        standing &= ~(uint32_t)WALL_LIMITS;
        snprintf(reasons[7], sizeof reasons[7], "%s", limits_reason);
    }
    bool ready = launcher_namespaces(config) && build_template(config, &step);
    struct failure failure = { step, WALL_ROOT, errno };
    for (bool done = false; !done;) {
        if (ready && try_walls(config, standing, &cgroup, &failure))
            break;
        broken = failure.wall & standing ? failure.wall : WALL_ROOT;
        /* Nobody but root can do without the user namespace, and nobody at all without these two. */
        done = broken & WALL_ALWAYS || (broken == WALL_USER && !config->privileged);
        for (size_t i = 0; i < COUNT(names); i++)
            if (done ? (standing & names[i].wall) != 0 : names[i].wall == broken)
                snprintf(reasons[i], sizeof reasons[i], "%s: %s", failure.step, strerror(failure.error));
        standing &= done ? 0 : ~broken;
    }
    for (size_t i = 0; i < COUNT(names); i++)
        printf("%u\t%s\t%s\t%s\n", names[i].wall, standing & names[i].wall ? "yes" : "no", names[i].name, reasons[i]);
    cgroups_stop(&cgroup, 1);
    return 0;
}
