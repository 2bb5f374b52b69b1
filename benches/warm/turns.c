/* Starts commands in turn and prints the cost of each. It is small and static, because the peak memory that the system
   reports for a child is never less than its parent's.

     turns wall ROUNDS   COMMAND...    one line each: median, 10th and 90th percentile of the wall time, median of the
                                       processor's time (microseconds), peak memory (KiB), page faults
     turns crowd ROUNDS SIZE COMMAND...   one line each: median, 10th and 90th percentile until SIZE of them, started at
                                       once, have all ended
     turns calls 1       COMMAND...    one line each: the number of system calls of all its processes

   A COMMAND is `--`, its whole environment as NAME=VALUE arguments, `-k` if it may not use the kernel's keyring, the
   program's absolute path, and its arguments. If a command fails, writes to stderr or leaves a process behind, `turns`
   reports that on stderr and ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 64
#define WARM_UP 10

struct command { char **environment, **words; int without_kernel_keyring; };

static struct command commands[MOST];
static int count, nothing, complaints;

static void fail(const struct command *command, const char *why)
{
    char said[512];
    ssize_t length = pread(complaints, said, sizeof said, 0);
    fprintf(stderr, "%s: %s: %.*s\n", command->words[0], why, length > 0 ? (int)length : 0, said);
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static int smaller_first(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

/* Forbids the three system calls of the kernel's keyring, as some container profiles do. */
static void without_kernel_keyring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_add_key, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_request_key, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_keyctl, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static pid_t start(const struct command *command, int output, int traced)
{
    pid_t child = traced ? fork() : vfork();
    if (child)
        return child;
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(complaints, 2);
    if (command->without_kernel_keyring)
        without_kernel_keyring();
    if (traced) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
    }
    execve(command->words[0], command->words, command->environment);
    _exit(127);
}

static void swallow(int pipe)
{
    static char piece[65536];
    while (read(pipe, piece, sizeof piece) > 0)
        ;
    close(pipe);
}

static void judge(const struct command *command, int status)
{
    struct stat said;
    fstat(complaints, &said);
    char how[32];
    snprintf(how, sizeof how, "ended with status %x", (unsigned)status);
    if (status)
        fail(command, how);
    if (said.st_size)
        fail(command, "wrote to stderr");
    /* This process is the reaper, so orphans become its children. */
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        fail(command, "left a process behind");
}

static double once(const struct command *command, struct rusage *used)
{
    int pipes[2], status;
    if (pipe2(pipes, O_CLOEXEC))
        fail(command, "no pipe");
    double began = now();
    pid_t child = start(command, pipes[1], 0);
    close(pipes[1]);
    swallow(pipes[0]);
    wait4(child, &status, 0, used);
    double took = now() - began;
    judge(command, status);
    return took;
}

static double crowd(const struct command *command, int size)
{
    int pipes[2], status, worst = 0;
    if (pipe2(pipes, O_CLOEXEC))
        fail(command, "no pipe");
    double began = now();
    for (int one = 0; one < size; one++)
        start(command, pipes[1], 0);
    close(pipes[1]);
    swallow(pipes[0]);
    for (int one = 0; one < size; one++) {
        wait(&status);
        worst |= status;
    }
    double took = now() - began;
    judge(command, worst);
    return took;
}

/* -1 where tracing is forbidden. */
static long calls(const struct command *command)
{
    int status, output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    long entered = 0, living = 1;
    pid_t child = start(command, output, 1), process;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)
        || ptrace(PTRACE_SETOPTIONS, child, 0,
                  PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
                      | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        return -1;
    }
    ptrace(PTRACE_SYSCALL, child, 0, 0);
    while (living && (process = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            living -= process == child;
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        struct __ptrace_syscall_info info;
        if (signal == (SIGTRAP | 0x80)) {
            ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof info, &info);
            entered += info.op == PTRACE_SYSCALL_INFO_ENTRY;
            signal = 0;
        } else if (event || signal == SIGSTOP || signal == SIGTRAP) {
            /* Counts from the exec on. */
            entered = event == PTRACE_EVENT_EXEC ? 1 : entered;
            signal = 0;
        }
        ptrace(PTRACE_SYSCALL, process, 0, signal);
    }
    while (waitpid(-1, &status, __WALL) > 0)
        ;
    close(output);
    return entered;
}

/* A copy that ends with NULL, for which the arguments themselves have no room. */
static char **list(char **from, char **to)
{
    char **made = calloc((size_t)(to - from) + 1, sizeof(char *));
    memcpy(made, from, (size_t)(to - from) * sizeof(char *));
    return made;
}

static void read_commands(char **word)
{
    while (*word && count < MOST) {
        struct command *command = &commands[count++];
        char **from = ++word;
        while (*word && **word != '/' && **word != '-')
            word++;
        command->environment = list(from, word);
        if (*word && !strcmp(*word, "-k")) {
            command->without_kernel_keyring = 1;
            word++;
        }
        from = word;
        while (*word && strcmp(*word, "--"))
            word++;
        command->words = list(from, word);
    }
}

int main(int length, char **words)
{
    if (length < 5)
        return 2;
    int is_crowd = !strcmp(words[1], "crowd"), rounds = atoi(words[2]);
    int size = is_crowd ? atoi(words[3]) : 1;
    read_commands(words + (is_crowd ? 4 : 3));
    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    complaints = memfd_create("complaints", MFD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!strcmp(words[1], "calls")) {
        for (int one = 0; one < count; one++)
            printf("%ld\n", calls(&commands[one]));
        return 0;
    }

    static double *walls[MOST], *processor[MOST];
    static struct rusage used[MOST];
    for (int one = 0; one < count; one++) {
        walls[one] = calloc((size_t)rounds, sizeof(double));
        processor[one] = calloc((size_t)rounds, sizeof(double));
    }
    for (int round = is_crowd ? -1 : -WARM_UP; round < rounds; round++)
        for (int one = 0; one < count; one++) {
            double took = is_crowd ? crowd(&commands[one], size) : once(&commands[one], &used[one]);
            if (round < 0)
                continue;
            const struct rusage *of = &used[one];
            walls[one][round] = took;
            processor[one][round] = (double)(of->ru_utime.tv_sec + of->ru_stime.tv_sec) * 1e6
                                    + (double)(of->ru_utime.tv_usec + of->ru_stime.tv_usec);
        }
    for (int one = 0; one < count; one++) {
        qsort(walls[one], (size_t)rounds, sizeof(double), smaller_first);
        qsort(processor[one], (size_t)rounds, sizeof(double), smaller_first);
        printf("%.1f %.1f %.1f %.1f %ld %ld\n", walls[one][rounds / 2], walls[one][rounds / 10],
               walls[one][rounds * 9 / 10], processor[one][rounds / 2], used[one].ru_maxrss, used[one].ru_minflt);
    }
    return 0;
}
