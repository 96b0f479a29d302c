/*
 * Host event "unload": the module is unmapped (nginx worker exit, Apache restart) after psc_free; nothing of psc runs on.
 *
 *   unload CONFIG PLUGIN     the module that links psc, shared or static, is unloaded
 *   unload CONFIG LIBRARY library    libpsc.so itself is
 */
#include "common.h"

#define TIMES 20

static int is_mapped(const char *path)
{
    char line[1024];
    int found = 0;
    const char *name = strrchr(path, '/');
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file != NULL && name != NULL);
    while (!found && fgets(line, sizeof line, file) != NULL) found = strstr(line, name) != NULL;
    fclose(file);
    return found;
}

/* dlsym gives an object pointer; ISO C has no cast from it to a function. */
#define LOOK_UP(function, handle, name) \
    do { \
        void *symbol_ = dlsym((handle), (name)); \
        CHECK(symbol_ != NULL); \
        memcpy(&(function), &symbol_, sizeof (function)); \
    } while (0)

static void unload_plugin(const char *config, const char *path, int port)
{
    int (*start)(const char *, const char *);
    void (*stop)(void);
    char silent[128];
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) fprintf(stderr, "%s\n", dlerror());
    CHECK(handle != NULL);
    LOOK_UP(start, handle, "plugin_start");
    LOOK_UP(stop, handle, "plugin_stop");
    snprintf(silent, sizeof silent, "{\"url\":\"https://127.0.0.1:%d/\",\"log_level\":7}", port);
    CHECK(start(config, silent) == 1);
    stop();
    CHECK_SOON(count_threads() == 1);
    CHECK(dlclose(handle) == 0);
}

static void unload_library(const char *config, const char *path)
{
    psc_checker *(*init)(psc_log_fn, void *);
    int (*configure)(psc_checker *, const char *);
    int (*start)(psc_checker *);
    void (*release)(psc_checker *);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) fprintf(stderr, "%s\n", dlerror());
    CHECK(handle != NULL);
    LOOK_UP(init, handle, "psc_init");
    LOOK_UP(configure, handle, "psc_configure");
    LOOK_UP(start, handle, "psc_start");
    LOOK_UP(release, handle, "psc_free");
    psc_checker *checker = init(NULL, NULL);
    CHECK(checker != NULL);
    CHECK(configure(checker, config) == PSC_OK);
    CHECK(start(checker) == PSC_OK);
    CHECK_SOON(psc_threads() == 1);
    release(checker);
    CHECK_SOON(count_threads() == 1);
    CHECK(dlclose(handle) == 0);
}

int main(int argc, char **argv)
{
    int port;
    CHECK(argc == 3 || argc == 4);
    int listener = silent_listener(TIMES + 4, &port);
    int descriptors = 0;
    for (int i = 0; i < TIMES; i++) {
        if (argc == 4) {
            unload_library(argv[1], argv[2]);
        } else {
            unload_plugin(argv[1], argv[2], port);
        }
        CHECK_SOON(count_threads() == 1);
        if (i == 0) descriptors = count_descriptors();
        CHECK(count_descriptors() == descriptors);
    }
    printf("mapped afterwards: %s\n", is_mapped(argv[2]) ? "yes" : "no");
    close(listener);
    return 0; /* what psc left for the exit, if anything, must still be there to run */
}
