/* Looks through its own memory for secrets that psc should have wiped.
 *
 *     wipe CONFIG
 *
 * Runs one check, then prints "checked" and reads lines of hexadecimal digits: the check's one-time key,
 * then PIECES pieces of the license file, each byte inverted, so that this program never holds what it
 * looks for. The key must be gone after the check, the license after psc_free.
 */

#define _XOPEN_SOURCE 700 /* pread */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "psc.h"

enum { PIECES = 4, NEEDLE_MAX = 256, CHUNK = 64 * 1024 };

struct needle {
    unsigned char inverted[NEEDLE_MAX];
    size_t length;
};

static struct needle read_needle(void)
{
    struct needle needle = {{0}, 0};
    char line[2 * NEEDLE_MAX + 2];
    unsigned byte;

    if (fgets(line, sizeof line, stdin) != NULL) {
        while (sscanf(line + 2 * needle.length, "%2x", &byte) == 1) {
            needle.inverted[needle.length++] = (unsigned char) byte;
        }
    }
    return needle;
}

static int is_here(const unsigned char *bytes, const struct needle *needle)
{
    size_t i;

    for (i = 0; i < needle->length; i++) {
        if (bytes[i] + needle->inverted[i] != 0xff) {
            return 0;
        }
    }
    return 1;
}

static int found_in_range(int memory, unsigned long start, unsigned long end, const struct needle *needle)
{
    static unsigned char chunk[CHUNK + NEEDLE_MAX];
    unsigned long at;
    ssize_t got;
    ssize_t i;
    int found = 0;

    for (at = start; at < end && !found; at += CHUNK) {
        size_t wanted = sizeof chunk;
        if (wanted > end - at) {
            wanted = end - at;
        }
        got = pread(memory, chunk, wanted, (off_t) at);
        for (i = 0; i + (ssize_t) needle->length <= got && !found; i++) {
            found = is_here(chunk + i, needle);
        }
    }
    memset(chunk, 0, sizeof chunk);
    return found;
}

static int found(const struct needle *needle)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    char line[4096];
    unsigned long start;
    unsigned long end;
    int count = 0;

    if (maps == NULL || memory < 0 || needle->length == 0) {
        fprintf(stderr, "cannot search the memory\n");
        exit(2);
    }
    while (fgets(line, sizeof line, maps) != NULL) {
        char permissions[5] = "";
        if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) == 3 && permissions[1] == 'w') {
            count += found_in_range(memory, start, end, needle);
        }
    }
    fclose(maps);
    close(memory);
    return count;
}

/* How many of the pieces are still somewhere. */
static int pieces_found(const struct needle *pieces)
{
    int count = 0;
    int i;

    for (i = 0; i < PIECES; i++) {
        count += found(&pieces[i]) > 0;
    }
    return count;
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(NULL, NULL);
    struct needle key;
    struct needle pieces[PIECES];
    int i;

    if (argc != 2 || checker == NULL || psc_configure(checker, argv[1]) != PSC_OK) {
        return 2;
    }
    if (psc_run_once(checker, NULL) < 0) {
        fprintf(stderr, "%s\n", psc_last_error(checker));
        return 2;
    }
    puts("checked");
    fflush(stdout);
    key = read_needle();
    for (i = 0; i < PIECES; i++) {
        pieces[i] = read_needle();
    }
    printf("key in memory after the check: %d\n", found(&key));
    printf("pieces of the license while configured: %d\n", pieces_found(pieces));
    psc_free(checker);
    printf("pieces of the license after psc_free: %d\n", pieces_found(pieces));
    return 0;
}
