/*
 * cgroups(7): memory, CPU and number of processes of a whole tree, version 1 and 2.
 *
 * Groups are made once per slot and used again: making and removing one per action costs, and removed memory groups
 * linger in the kernel as long as a page they were charged for stays cached.
 *
 * Moving a process into a group from outside waits for an RCU grace period, some 10 ms. So nobody is moved: on v2 the
 * process is cloned into its group, on v1 it writes itself into "tasks", the one attachment without that wait.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "launcher.h"

enum { MEMORY, CPU, PIDS };
enum { PERIOD_US = 100000 }; /* the kernel's default for both versions */

static const char *const controllers[CONTROLLERS] = { "memory", "cpu", "pids" };
static int base[CONTROLLERS] = { -1, -1, -1 }; /* rexec-PID in each hierarchy; v2: only the first */
static int parent[CONTROLLERS] = { -1, -1, -1 };
static char base_name[32];
static bool version2;

static bool write_text(int directory, const char *name, const char *text)
{
    auto_close int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) >= 0;
}

static bool write_number(int directory, const char *name, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    return write_text(directory, name, text);
}

static bool read_text(int directory, const char *name, char *text, size_t bytes)
{
    auto_close int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, text, bytes - 1);
    text[count < 0 ? 0 : count] = 0;
    return count >= 0;
}

static uint64_t read_number(int directory, const char *name)
{
    char text[64];
    return read_text(directory, name, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
        if ((at == list || strchr(", \n", at[-1])) && strchr(", \n", at[length]))
            return true;
    return false;
}

/* Where a hierarchy is mounted: controller NULL asks for version 2. */
static bool find_mount(const char *controller, char *path, size_t bytes)
{
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char line[4096], where[2048], type[64], options[1024];
    bool found = false;
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        if (sscanf(line, "%*s %2047s %63s %1023s", where, type, options) != 3)
            continue;
        found = controller ? strcmp(type, "cgroup") == 0 && has_word(options, controller) : strcmp(type, "cgroup2") == 0;
    }
    if (mounts)
        fclose(mounts);
    return found && snprintf(path, bytes, "%s", where) < (int)bytes;
}

/* Our own place in the hierarchy, so that limits set on the worker hold for its actions, too. */
static void find_own(const char *controller, char *path, size_t bytes)
{
    FILE *groups = fopen("/proc/self/cgroup", "re");
    char line[4096];
    path[0] = 0;
    while (groups && fgets(line, sizeof line, groups)) {
        char *names = strchr(line, ':'), *own = names ? strchr(names + 1, ':') : NULL;
        if (!own)
            continue;
        *own++ = 0;
        own[strcspn(own, "\n")] = 0;
        if (controller ? has_word(names + 1, controller) : names[1] == 0)
            snprintf(path, bytes, "%s", own);
    }
    if (groups)
        fclose(groups);
}

static void remove_group(int at, const char *name)
{
    auto_close int directory = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = directory < 0 ? NULL : fdopendir(dup(directory));
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (strncmp(entry->d_name, "slot-", 5) == 0)
            unlinkat(directory, entry->d_name, AT_REMOVEDIR);
    if (entries)
        closedir(entries);
    unlinkat(at, name, AT_REMOVEDIR);
}

/* A launcher holds a lock on its group; one killed -9 no longer does. */
static void remove_stale_groups(int at)
{
    int copy = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (strncmp(entry->d_name, "rexec-", 6) != 0 || !isdigit((unsigned char)entry->d_name[6]))
            continue;
        auto_close int stale = openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (stale >= 0 && flock(stale, LOCK_EX | LOCK_NB) == 0)
            remove_group(at, entry->d_name);
    }
    if (entries)
        closedir(entries);
}

static bool make_base(int hierarchy, const char *path)
{
    auto_close int at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return false;
    remove_stale_groups(at);
    /* Refused where processes live beside our group (cgroups(7), "no internal processes"): the check below sees it. */
    if (version2)
        write_text(at, "cgroup.subtree_control", "+memory +cpu +pids");
    if (mkdirat(at, base_name, 0755) < 0 && errno != EEXIST)
        return false;
    auto_close int made = openat(at, base_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made < 0)
        return false;
    if (version2) {
        char enabled[256];
        bool all = read_text(made, "cgroup.controllers", enabled, sizeof enabled);
        for (int i = 0; i < CONTROLLERS; i++)
            all = all && has_word(enabled, controllers[i]);
        if (!all || !write_text(made, "cgroup.subtree_control", "+memory +cpu +pids")) {
            unlinkat(at, base_name, AT_REMOVEDIR);
            errno = EOPNOTSUPP;
            return false;
        }
    }
    if (flock(made, LOCK_EX | LOCK_NB) < 0)
        return false;
    base[hierarchy] = made;
    parent[hierarchy] = at;
    made = at = -1;
    return true;
}

static bool start_hierarchy(int hierarchy, const char *controller, char *reason, size_t reason_bytes)
{
    char mount[2048], own[2048], path[4200];
    if (!find_mount(controller, mount, sizeof mount)) {
        snprintf(reason, reason_bytes, "no %s cgroup is mounted", controller ? controller : "version 2");
        return false;
    }
    find_own(controller, own, sizeof own);
    snprintf(path, sizeof path, "%s%s", mount, own);
    if (make_base(hierarchy, path) || make_base(hierarchy, mount))
        return true;
    snprintf(reason, reason_bytes, "cannot make a %s cgroup below %s: %s",
             controller ? controller : "memory, cpu and pids", mount, strerror(errno));
    return false;
}

bool cgroups_start(char *reason, size_t reason_bytes)
{
    char path[2048];
    snprintf(base_name, sizeof base_name, "rexec-%d", getpid());
    version2 = !find_mount("memory", path, sizeof path);
    if (version2)
        return start_hierarchy(0, NULL, reason, reason_bytes);
    for (int i = 0; i < CONTROLLERS; i++) {
        if (!start_hierarchy(i, controllers[i], reason, reason_bytes)) {
            cgroups_stop(NULL, 0);
            return false;
        }
    }
    return true;
}

void cgroups_stop(struct cgroup_slot *slots, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!slots[i].ready)
            continue;
        close_fd(&slots[i].peak);
        for (int j = 0; j < CONTROLLERS; j++) {
            close_fd(&slots[i].directory[j]);
            close_fd(&slots[i].tasks[j]);
        }
    }
    for (int i = 0; i < CONTROLLERS; i++) {
        close_fd(&base[i]);
        if (parent[i] >= 0)
            remove_group(parent[i], base_name);
        close_fd(&parent[i]);
    }
}

static bool open_slot(struct cgroup_slot *slot, unsigned number)
{
    char name[32];
    snprintf(name, sizeof name, "slot-%u", number);
    for (int i = 0; i < CONTROLLERS; i++)
        slot->directory[i] = slot->tasks[i] = -1;
    slot->peak = -1;
    for (int i = 0; i < (version2 ? 1 : CONTROLLERS); i++) {
        if (mkdirat(base[i], name, 0755) < 0 && errno != EEXIST)
            return false;
        slot->directory[i] = openat(base[i], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (slot->directory[i] < 0)
            return false;
        if (version2)
            continue;
        slot->tasks[i] = openat(slot->directory[i], "tasks", O_WRONLY | O_CLOEXEC);
        if (slot->tasks[i] < 0)
            return false;
    }
    /* On v2 the reset is per descriptor and younger than Debian 12's kernel; without it there is no peak of one action. */
    slot->peak = openat(slot->directory[MEMORY], version2 ? "memory.peak" : "memory.max_usage_in_bytes", O_RDWR | O_CLOEXEC);
    slot->ready = true;
    return true;
}

static bool set_memory(struct cgroup_slot *slot, uint64_t bytes)
{
    int at = slot->directory[MEMORY];
    if (slot->memory_limit == bytes)
        return true;
    if (version2) {
        bool done = bytes ? write_number(at, "memory.max", (long long)bytes) : write_text(at, "memory.max", "max");
        if (!done || (!write_text(at, "memory.swap.max", bytes ? "0" : "max") && errno != ENOENT))
            return false;
    } else {
        /* memory + swap is never below memory: open it first, close it last. It is absent without swap accounting. */
        if (!write_text(at, "memory.memsw.limit_in_bytes", "-1") && errno != ENOENT)
            return false;
        if (!write_number(at, "memory.limit_in_bytes", bytes ? (long long)bytes : -1)) {
            /* The cache of earlier actions may still be in use beyond the new limit: drop it and try once more. */
            if (errno != EBUSY || !write_text(at, "memory.force_empty", "0")
                || !write_number(at, "memory.limit_in_bytes", (long long)bytes))
                return false;
        }
        if (bytes && !write_number(at, "memory.memsw.limit_in_bytes", (long long)bytes) && errno != ENOENT)
            return false;
    }
    slot->memory_limit = bytes;
    return true;
}

static bool set_cpu(struct cgroup_slot *slot, uint32_t millicores)
{
    char text[64];
    long long quota = (long long)millicores * (PERIOD_US / 1000);
    if (slot->cpu_millicores == millicores)
        return true;
    if (quota && quota < 1000)
        quota = 1000; /* the kernel's smallest slice */
    if (quota)
        snprintf(text, sizeof text, version2 ? "%lld 100000" : "%lld", quota);
    else
        snprintf(text, sizeof text, version2 ? "max" : "-1");
    if (!write_text(slot->directory[version2 ? 0 : CPU], version2 ? "cpu.max" : "cpu.cfs_quota_us", text))
        return false;
    slot->cpu_millicores = millicores;
    return true;
}

static bool set_processes(struct cgroup_slot *slot, uint32_t count)
{
    int at = slot->directory[version2 ? 0 : PIDS];
    if (slot->processes_max == count)
        return true;
    /* Our init is one more than the action asked for. */
    if (!(count ? write_number(at, "pids.max", (long long)count + 1) : write_text(at, "pids.max", "max")))
        return false;
    slot->processes_max = count;
    return true;
}

static uint64_t oom_kills(const struct cgroup_slot *slot)
{
    char text[512];
    const char *file = version2 ? "memory.events" : "memory.oom_control";
    if (!read_text(slot->directory[MEMORY], file, text, sizeof text))
        return 0;
    const char *line = strstr(text, "oom_kill ");
    return line ? strtoull(line + strlen("oom_kill "), NULL, 10) : 0;
}

bool cgroup_limit(struct cgroup_slot *slot, const struct spec *spec, const char **step)
{
    *step = "cgroup memory";
    if (!set_memory(slot, spec->memory_bytes))
        return false;
    *step = "cgroup cpu";
    if (!set_cpu(slot, spec->cpu_millicores))
        return false;
    *step = "cgroup processes";
    return set_processes(slot, spec->processes_max);
}

bool cgroup_prepare(struct cgroup_slot *slot, unsigned number, const struct spec *spec, const char **step)
{
    *step = "cgroup";
    if ((!slot->ready && !open_slot(slot, number)) || !cgroup_limit(slot, spec, step))
        return false;
    if (slot->peak >= 0 && pwrite(slot->peak, "0", 1, 0) < 0)
        close_fd(&slot->peak);
    slot->start_usage = read_number(slot->directory[MEMORY], version2 ? "memory.current" : "memory.usage_in_bytes");
    slot->start_ooms = oom_kills(slot);
    return true;
}

/*
 * proc_pid_oom_score_adj(5): when the machine or a group above ours runs out of memory, an action dies before the worker,
 * the server or anybody else. From outside, where the right to lower it is: what such a writer sets is the lowest that
 * the process and its children can ever go back to. It starts with init, whose end frees tmpfs and shared memory.
 */
bool die_first(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
    return write_text(AT_FDCWD, path, "1000");
}

int cgroup_clone_target(const struct cgroup_slot *slot)
{
    return version2 ? slot->directory[0] : -1;
}

/* Cache that earlier actions of the slot left behind is not this action's: the peak counts from where it began. */
struct cgroup_usage cgroup_read(const struct cgroup_slot *slot)
{
    char text[32] = "";
    struct cgroup_usage usage = { .oom = oom_kills(slot) > slot->start_ooms };
    if (slot->peak >= 0 && pread(slot->peak, text, sizeof text - 1, 0) > 0) {
        uint64_t peak = strtoull(text, NULL, 10);
        usage.peak_bytes = peak > slot->start_usage ? peak - slot->start_usage : 0;
    }
    return usage;
}
