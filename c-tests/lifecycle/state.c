/*
 * Many processes on one state directory, started at once and killed at random: at most one check per due time.
 *
 *   state CONFIG STATE_DIR PROCESSES ROUNDS [owner]
 *
 * Needs preload-clock.c, whose file (CLOCK_FILE) this program moves on. A process is killed any time, except that the owner of
 * the directory lives until its check is answered. With `owner` it does not: a check that is killed with it may or may not
 * have been sent, and is not repeated before it is due again, so the clock is moved on. Prints how many due times there were;
 * a round is over when a check has been answered.
 */
#include "common.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#define LARGEST 512
#define STEP_SECONDS 100000 /* more than a day's interval and its jitter, less than two */

static pid_t processes[LARGEST];
static int count;
static int kills_owner;
static int due_times;
static int done[2]; /* a process writes its number when it has made a check */
static struct { int64_t boot, wall; } *clocks;

static void tell(void *user_data, int level, const char *message)
{
    pid_t self = getpid();
    (void) user_data;
    if (strstr(message, "no update found") != NULL) CHECK(write(done[1], &self, sizeof self) == sizeof self);
    if (level <= 2) fprintf(stderr, "%d: %s\n", (int) self, message);
}

static void spawn(const char *config, const char *state_dir, const int gate[2])
{
    for (int i = 0; i < count; i++) {
        if (processes[i] != 0) continue;
        processes[i] = fork();
        CHECK(processes[i] != -1);
        if (processes[i] != 0) continue;
        char byte;
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        close(gate[1]);
        psc_checker *checker = checker_new(tell, NULL, config);
        CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", state_dir));
        CHECK(read(gate[0], &byte, 1) == 0); /* until the parent closes it: all at once */
        CHECK_CODE(PSC_OK, psc_start(checker));
        for (;;) pause();
    }
}

static void kill_process(int i)
{
    int status;
    CHECK(kill(processes[i], SIGKILL) == 0);
    CHECK(waitpid(processes[i], &status, 0) == processes[i]);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it had not failed by itself */
    processes[i] = 0;
}

/* Who holds the owner lock, as the kernel knows it; 0 for nobody. */
static pid_t owner(const char *state_dir)
{
    char path[1024], line[256];
    struct stat lock;
    pid_t holder = 0;
    snprintf(path, sizeof path, "%s/owner.lock", state_dir);
    if (stat(path, &lock) == -1) return 0;
    FILE *file = fopen("/proc/locks", "r");
    CHECK(file != NULL);
    while (holder == 0 && fgets(line, sizeof line, file) != NULL) {
        int pid;
        unsigned long inode;
        if (sscanf(line, "%*d: FLOCK ADVISORY %*s %d %*x:%*x:%lu", &pid, &inode) != 2) continue;
        if (inode == lock.st_ino) holder = pid;
    }
    fclose(file);
    return holder;
}

static int check_was_made(int limit_ms)
{
    pid_t who;
    struct pollfd readable = { .fd = done[0], .events = POLLIN };
    if (poll(&readable, 1, limit_ms) == 0) return 0;
    CHECK(read(done[0], &who, sizeof who) == sizeof who);
    return 1;
}

static void move_clocks(void)
{
    clocks->boot += STEP_SECONDS;
    clocks->wall += STEP_SECONDS;
    due_times++;
}

static int count_processes(void)
{
    int living = 0;
    for (int i = 0; i < count; i++) living += processes[i] != 0;
    return living;
}

/* Whom to kill, -1 for nobody: the owner, if it may be, with one chance in eight; anybody else otherwise. */
static int choose(pid_t owns)
{
    int anybody = rand() % count;
    int is_owners_turn = kills_owner && owns != 0 && count_processes() > 1 && rand() % 8 == 0;
    for (int i = 0; is_owners_turn && i < count; i++) {
        if (processes[i] == owns) return i;
    }
    int is_spared = !kills_owner && (owns == 0 || processes[anybody] == owns);
    return is_spared || processes[anybody] == 0 || count_processes() < 2 ? -1 : anybody;
}

/* Kills at random until a check is made; then everybody else with one chance in two. */
static void kill_at_random(const char *state_dir)
{
    long long deadline = now_ms() + 60000;
    while (!check_was_made(rand() % 20)) {
        CHECK(now_ms() < deadline);
        pid_t owns = owner(state_dir);
        int victim = choose(owns);
        if (victim == -1) continue;
        kill_process(victim);
        if (kills_owner && (owns == 0 || owner(state_dir) != owns)) move_clocks();
    }
    for (int i = 0; i < count; i++) {
        int is_owner = processes[i] != 0 && processes[i] == owner(state_dir);
        if (processes[i] != 0 && (is_owner || rand() % 2 == 0)) kill_process(i);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 5 || argc == 6);
    kills_owner = argc == 6;
    const char *clock_file = getenv("CLOCK_FILE");
    count = atoi(argv[3]);
    int rounds = atoi(argv[4]);
    CHECK(clock_file != NULL && count > 1 && count <= LARGEST);
    srand((unsigned) time(NULL));
    int file = open(clock_file, O_RDWR | O_CLOEXEC);
    CHECK(file != -1);
    clocks = mmap(NULL, sizeof *clocks, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(clocks != MAP_FAILED);
    CHECK(pipe2(done, O_CLOEXEC) == 0);

    for (int round = 0; round < rounds; round++) {
        int gate[2];
        CHECK(pipe2(gate, O_CLOEXEC) == 0);
        spawn(argv[1], argv[2], gate);
        move_clocks(); /* due: for those that are there, and those about to start */
        close(gate[0]);
        close(gate[1]);
        kill_at_random(argv[2]);
    }
    while (check_was_made(1000)) {
    }
    for (int i = 0; i < count; i++) {
        if (processes[i] != 0) kill_process(i);
    }
    printf("%d\n", due_times);
    return 0;
}
