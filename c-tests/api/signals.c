/*
 * No thread that a call of psc brings along takes a signal of the host's, and the calling thread takes them as ever while
 * psc waits.
 *
 *   signals CONFIG      of a check whose look-up hangs
 */
#include "../harness.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int main_thread, checking_thread, in_caller, elsewhere, ended;

static int thread_id(void)
{
    return (int) syscall(SYS_gettid);
}

static void handler(int number)
{
    (void) number;
    if (thread_id() == checking_thread)
        in_caller++;
    else
        elsewhere++;
}

static void block(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

/* The one thread of the host's that takes SIGUSR1. */
static void *check(void *config)
{
    psc_checker *checker = psc_init(NULL, NULL);
    sigset_t mask;
    CHECK(checker != NULL);
    CHECK(psc_configure(checker, config) == PSC_OK);
    block(SIG_UNBLOCK);
    checking_thread = thread_id();
    CHECK(psc_run_once(checker, NULL) == PSC_ERR_NETWORK);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGUSR1) == 0 && sigismember(&mask, SIGUSR2) == 0);
    ended = 1;
    psc_free(checker);
    return NULL;
}

static int blocks_signal(int thread)
{
    char path[64], line[256];
    unsigned long long blocked = ~0ULL; /* a thread that has ended takes none either */
    FILE *status;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        sscanf(line, "SigBlk: %llx", &blocked);
    if (status != NULL)
        fclose(status);
    return (blocked >> (SIGUSR1 - 1)) & 1;
}

/* The threads that psc brought along. */
static int others(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;
    CHECK(tasks != NULL);
    while ((entry = readdir(tasks)) != NULL) {
        int thread = atoi(entry->d_name);
        if (thread == 0 || thread == main_thread || thread == checking_thread)
            continue;
        CHECK(blocks_signal(thread));
        count++;
    }
    closedir(tasks);
    return count;
}

int main(int argc, char **argv)
{
    struct sigaction action;
    pthread_t thread;
    int i;

    CHECK(argc == 2);
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    block(SIG_BLOCK);
    main_thread = thread_id();
    CHECK(pthread_create(&thread, NULL, check, argv[1]) == 0);
    while (checking_thread == 0 || others() == 0)
        usleep(1000);
    for (i = 0; i < 100; i++) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        usleep(2000);
        others();
    }
    CHECK(!ended); /* they came while psc waited */
    CHECK(elsewhere == 0);
    CHECK(in_caller > 10);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
