/*
 * pid_namespaces(7): process 1 of a sandbox. It builds the walls around itself, starts the program inside them, reaps
 * whatever becomes an orphan, and ends when the program ends; then the kernel kills what is left of the namespace.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "launcher.h"

/* The only descriptors that an init keeps; the launcher's own are all above (main.c). */
enum { CONTROL_FD = 3, INPUT_ROOT_FD = 4, WORKING_FD = 5 };

/* A step that consists of several says here which of them failed. */
static const char *substep;

static bool join_cgroup(struct sandbox *sandbox)
{
    for (int i = 0; sandbox->cgroup && i < CONTROLLERS; i++)
        if (sandbox->cgroup->tasks[i] >= 0 && write(sandbox->cgroup->tasks[i], "0", 1) != 1)
            return false;
    return true;
}

static bool keep_descriptors(struct sandbox *sandbox)
{
    /* All descriptors of the launcher are above these, so no copy overwrites the source of a later one. */
    bool is_spare = sandbox->input_root < 0;
    if (dup2(sandbox->out, 1) != 1 || dup2(sandbox->err, 2) != 2 || dup2(sandbox->control, CONTROL_FD) != CONTROL_FD
        || (!is_spare && dup2(sandbox->input_root, INPUT_ROOT_FD) != INPUT_ROOT_FD))
        return false;
    sandbox->input_root = INPUT_ROOT_FD; /* the lowest free number: a spare's arrives there, too */
    return close_range(is_spare ? INPUT_ROOT_FD : WORKING_FD, ~0U, 0) == 0;
}

/* Until the launcher has written our maps we are nobody; it says so with one byte. */
static bool await_identity(struct sandbox *sandbox)
{
    char go;
    return read(CONTROL_FD, &go, 1) == 1;
}

static bool enter_identity(struct sandbox *sandbox)
{
    return become_action(sandbox->config, sandbox->spec->walls & WALL_USER);
}

/* After joining, so that /proc/self/cgroup starts at the action's own group. */
static bool enter_cgroup_namespace(struct sandbox *sandbox)
{
    return unshare(CLONE_NEWCGROUP) == 0;
}

static bool set_host_name(struct sandbox *sandbox)
{
    const char *name = sandbox->spec->host_name;
    return !(sandbox->spec->walls & WALL_HOSTNAME) || sethostname(name, strlen(name)) == 0;
}

static bool change_root(struct sandbox *sandbox)
{
    return enter_root(sandbox->spec, &substep);
}

static bool renounce(struct sandbox *sandbox)
{
    return renounce_privileges();
}

/* Here a spare's time stands still. What it inherited of its spec is a guess; what it receives was made to fit. */
static bool await_spec(struct sandbox *sandbox)
{
    static struct spec spec;
    if (!sandbox->spec->arguments) {
        if (!spare_receive(CONTROL_FD, &spec, &sandbox->input_root))
            return false;
        sandbox->spec = &spec;
    }
    return true;
}

static bool add_input_root(struct sandbox *sandbox)
{
    return place_input_root(sandbox->input_root);
}

/* Beneath /build and nowhere else: neither ".." nor a link of the input tree leads out (CVE-2024-21626). */
static bool open_working_directory(struct sandbox *sandbox)
{
    struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    const char *path = sandbox->spec->working_directory;
    int build = open("/build", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = build < 0 ? -1 : (int)syscall(SYS_openat2, build, *path ? path : ".", &how, sizeof how);
    int error = errno;
    close_fd(&build); /* now: it may well have the number that is wanted */
    if (fd >= 0 && fd != WORKING_FD) {
        bool moved = dup3(fd, WORKING_FD, O_CLOEXEC) == WORKING_FD;
        close(fd);
        return moved;
    }
    errno = error;
    return fd >= 0;
}

static bool limit_resources(struct sandbox *sandbox)
{
    return set_rlimits(sandbox->spec);
}

static bool give_up_privileges(struct sandbox *sandbox)
{
    return drop_privileges(sandbox->config, sandbox->spec->walls & WALL_USER);
}

/*
 * After the last change of credentials, which would clear it (prctl(2)). If the launcher died before, nobody will
 * ever tell; its end of the socket is closed then. Not dumpable: /proc/1 holds nothing for the action to read.
 */
static bool die_with_launcher(struct sandbox *sandbox)
{
    struct pollfd control = { .fd = CONTROL_FD, .events = POLLIN };
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0
        || poll(&control, 1, 0) < 0)
        return false;
    if (control.revents & (POLLHUP | POLLERR))
        _exit(1);
    return true;
}

static bool filter_calls(struct sandbox *sandbox)
{
    return !(sandbox->spec->walls & WALL_SYSTEMCALLS) || install_filter();
}

/* Order matters: each step needs a privilege that a later one gives away. */
static const struct step {
    const char *name;
    uint32_t wall;
    bool (*run)(struct sandbox *);
} steps[] = {
    { "cgroup", WALL_LIMITS, join_cgroup },                     /* before anything that would be charged elsewhere */
    { "descriptors", WALL_ROOT, keep_descriptors },             /* nothing of the launcher's goes further */
    { "identity map", WALL_USER, await_identity },
    { "identity", WALL_USER, enter_identity },                  /* capabilities of the namespace stay for now */
    { "cgroup namespace", WALL_LIMITS, enter_cgroup_namespace },
    { "root", WALL_ROOT, change_root },                         /* mounts, then pivot_root: the host vanishes */
    { "bounding set", WALL_USER, renounce },
    { "spec", WALL_ROOT, await_spec },                          /* up to here the same for many: a spare is one that waits */
    { "host name", WALL_HOSTNAME, set_host_name },
    { "input root", WALL_ROOT, add_input_root },
    { "working directory", WALL_ROOT, open_working_directory },
    { "resource limits", WALL_LIMITS, limit_resources },
    { "privileges", WALL_USER, give_up_privileges },            /* no mount(2) past this point */
    { "parent death signal", WALL_PROCESSES, die_with_launcher },
    { "seccomp", WALL_SYSTEMCALLS, filter_calls },              /* last: it forbids the calls above */
};

static void report(const struct record *record)
{
    if (send(CONTROL_FD, record, sizeof *record, MSG_NOSIGNAL) != (ssize_t)sizeof *record)
        _exit(1); /* the launcher is gone; so are we */
}

static _Noreturn void fail(uint32_t outcome, uint32_t wall, const char *step, int error)
{
    struct record record = { .kind = RECORD_FAILED, .outcome = outcome, .wall = wall, .error = error };
    snprintf(record.step, sizeof record.step, "%s", step);
    report(&record);
    _exit(1);
}

static const char *variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

/*
 * REAPI Command.arguments: absolute as it is, with a slash relative to the working directory (where we are), otherwise on the
 * command's own PATH. A file that is there but cannot run is remembered, as execvp(3) does: a later entry may be better.
 */
static int execute(const struct spec *spec)
{
    const char *name = spec->arguments[0], *path = variable(spec->environment, "PATH");
    char candidate[4096];
    int refused = 0;
    if (strchr(name, '/')) {
        execve(name, spec->arguments, spec->environment);
        return errno == ENOENT && access(name, F_OK) == 0 ? ENOEXEC : errno; /* then its interpreter is missing */
    }
    for (const char *end; path && *path; path = *end ? end + 1 : end) {
        end = strchrnul(path, ':');
        int bytes = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)(end - path), path, name);
        if (end == path || bytes >= (int)sizeof candidate)
            continue;
        execve(candidate, spec->arguments, spec->environment);
        if (errno == ENOENT && access(candidate, F_OK) == 0)
            errno = ENOEXEC;
        if (errno != ENOENT && errno != ENOTDIR)
            refused = errno;
    }
    return refused ? refused : ENOENT;
}

/* Between vfork and exec: no allocation, no return. */
static int become_program(const struct spec *spec)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    umask(022);
    if (setsid() < 0 || fchdir(WORKING_FD) < 0 || close_range(CONTROL_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0
        || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return errno;
    return execute(spec);
}

/*
 * vfork: the parent's memory is shared until exec, so a failed exec can leave its errno here, and success is known at
 * once. The parent has nothing that the child could spoil.
 */
static pid_t start_program(const struct spec *spec, int *error)
{
    static volatile int exec_error;
    exec_error = 0;
    pid_t program = vfork();
    if (program == 0) {
        exec_error = become_program(spec);
        _exit(127);
    }
    *error = program < 0 ? errno : exec_error;
    return program;
}

/* Everybody dead and reaped before the report: from then on nobody changes a file of the input root. */
static void end_all(void)
{
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
}

/* Absent, no directory, or leading out (EXDEV, ELOOP): the spec's fault. Anything else, as EACCES, is the machine's. */
static bool is_about_path(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EXDEV || error == ELOOP || error == ENAMETOOLONG;
}

_Noreturn void init_main(struct sandbox *sandbox)
{
    for (size_t i = 0; i < COUNT(steps); i++) {
        substep = steps[i].name;
        if (steps[i].run(sandbox))
            continue;
        int error = errno;
        bool from_spec = steps[i].run == open_working_directory && is_about_path(error);
        fail(from_spec ? OUTCOME_WORKING_DIRECTORY_INVALID : OUTCOME_SETUP_FAILED, steps[i].wall, substep, error);
    }

    struct record record = { .kind = RECORD_ENDED };
    if (!sandbox->probe) {
        int error = 0;
        pid_t program = start_program(sandbox->spec, &error);
        if (program < 0)
            fail(OUTCOME_SETUP_FAILED, WALL_PROCESSES, "vfork", error);
        if (error)
            fail(error == ENOENT || error == ENOTDIR ? OUTCOME_PROGRAM_NOT_FOUND : OUTCOME_PROGRAM_NOT_RUNNABLE, 0,
                 "execve", error);
        report(&(struct record){ .kind = RECORD_STARTED });

        /* The pipes must end with the action. */
        close(1);
        close(2);
        pid_t ended;
        do
            ended = waitpid(-1, &record.status, __WALL);
        while (ended != program && (ended > 0 || errno == EINTR));
        end_all();
    }
    if (getrusage(RUSAGE_CHILDREN, &record.usage) < 0)
        _exit(1);
    report(&record);
    _exit(0);
}
