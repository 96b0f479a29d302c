/*
 * How much stack a call needs, or whether it makes do with so much: the call is made in a thread whose stack ends at a guard page,
 * with exactly BYTES left below the calling function, thread-local storage not counted.
 *
 *   stack CALL BYTES CONFIG [RESPONSE_FILE NONCE]     CALL: configure, run_once, verify, look (status, preview, inspect)
 *                                                     prints the code and the bytes that were used
 */
#include "../harness.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096
#define PAINT 0xa5
#define ALIGNED 64 /* thread-local storage, at the other end */

struct job {
    psc_checker *checker;
    const char *call;
    const char *config;
    char *response;
    size_t length;
    const char *nonce;
    const char *lowest; /* of the stack; NULL: only the overhead is asked for */
    size_t left;        /* bytes between the calling function and the end of the stack */
    size_t used;
    int code;
};

static int make_call(const struct job *job)
{
    psc_result *result = NULL;
    char *json = NULL;
    int code;

    if (strcmp(job->call, "configure") == 0) {
        /* as the first thing in the process: OpenSSL reads its configuration */
        psc_checker *checker = psc_init(NULL, NULL);
        code = psc_configure(checker, job->config);
        psc_free(checker);
        return code;
    }
    if (strcmp(job->call, "run_once") == 0) {
        code = psc_run_once(job->checker, &result);
    } else if (strcmp(job->call, "verify") == 0) {
        code = psc_verify(job->checker, job->response, job->length, job->nonce, &result);
    } else {
        CHECK_CODE(PSC_OK, psc_status(job->checker, &json));
        psc_string_free(json);
        CHECK_CODE(PSC_OK, psc_preview_request(job->checker, &json));
        psc_string_free(json);
        code = psc_inspect_config(job->checker, &json);
        psc_string_free(json);
    }
    psc_result_free(result);
    return code;
}

static void *in_thread(void *data)
{
    struct job *job = data;
    const char *here = __builtin_frame_address(0);
    const char *lowest = job->lowest;
    pthread_attr_t attributes;
    void *stack;
    size_t size;

    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    CHECK(pthread_attr_getstack(&attributes, &stack, &size) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    job->left = (size_t) (here - (const char *) stack);
    if (lowest != NULL) {
        CHECK(stack == lowest);
        job->code = make_call(job);
        while ((unsigned char) *lowest == PAINT)
            lowest++;
        job->used = (size_t) (here - lowest);
    }
    return NULL;
}

/* With a stack of that size, thread-local storage included. */
static void run_with(struct job *job, size_t size)
{
    size_t mapped = PAGE + (size + PAGE - 1) / PAGE * PAGE;
    char *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;

    CHECK(memory != MAP_FAILED);
    memset(memory + PAGE, PAINT, mapped - PAGE);
    CHECK(mprotect(memory, PAGE, PROT_NONE) == 0);
    if (job->lowest != NULL)
        job->lowest = memory + PAGE;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstack(&attributes, memory + PAGE, size) == 0);
    CHECK(pthread_create(&thread, &attributes, in_thread, job) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    CHECK(munmap(memory, mapped) == 0);
}

int main(int argc, char **argv)
{
    static struct log log;
    static char response[1 << 20];
    const size_t probed = 1 << 20;
    struct job job = { .call = argv[1], .response = response };
    size_t bytes;

    CHECK(argc == 4 || argc == 6);
    bytes = strtoul(argv[2], NULL, 10);
    job.config = argv[3];
    if (argc == 6) {
        FILE *file = fopen(argv[4], "rb");
        CHECK(file != NULL);
        job.length = fread(response, 1, sizeof response, file);
        CHECK(fclose(file) == 0);
        job.nonce = argv[5];
    }
    if (strcmp(job.call, "configure") != 0) {
        job.checker = psc_init(log_keep, &log);
        CHECK_CODE(PSC_OK, psc_configure(job.checker, job.config));
    }

    run_with(&job, probed);
    job.lowest = response;
    run_with(&job, (bytes + probed - job.left) / ALIGNED * ALIGNED);
    CHECK(job.left <= bytes);
    CHECK(job.left + ALIGNED > bytes);
    json_begin();
    json_number("code", job.code);
    json_number("used", (long long) job.used);
    json_end();
    psc_free(job.checker);
    log_clear(&log);
    return 0;
}
