/* The peer of `cargo xtask bench dns`: lookups by libunbound, built and run by that task alone.
 *
 * libunbound CONFIGURATION QUESTIONS IN-FLIGHT
 *
 * Each line on stdin is one pass over the questions; each line on stdout is what came of it, in
 * the words of the example dns_bench of elsinore-lab.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

static const char *const outcomes[] = {"SD", "SN", "SX", "ID", "IN", "IX", "F"};
enum { OUTCOMES = 7, SHOWN = 5 };

struct asked {
    char *name;
    int type;
    char expected[3];
};

static struct asked *questions;
static size_t count;
static long tally[OUTCOMES];
static long wrong;
static size_t answered;

static void fail(const char *what, int code)
{
    fprintf(stderr, "libunbound: %s: %s\n", what, code ? ub_strerror(code) : "");
    exit(1);
}

static void done(void *which, int code, struct ub_result *result)
{
    const struct asked *asked = which;
    int outcome = OUTCOMES - 1;
    answered++;
    if (code == 0 && !result->bogus && (result->rcode == 0 || result->rcode == 3)) {
        int kind = result->havedata ? 0 : result->nxdomain ? 2 : 1;
        outcome = kind + (result->secure ? 0 : 3);
    }
    tally[outcome]++;
    if (strcmp(outcomes[outcome], asked->expected) != 0 && wrong++ < SHOWN)
        fprintf(stderr, "%s %d: %s, not %s\n", asked->name, asked->type, outcomes[outcome],
                asked->expected);
    if (code == 0)
        ub_resolve_free(result);
}

static void read_questions(const char *path)
{
    char line[512];
    char name[300];
    struct asked asked;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        fail(path, 0);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%299s %d %2s", name, &asked.type, asked.expected) != 3)
            fail("not three fields", 0);
        asked.name = strdup(name);
        if (count == room) {
            room = room ? room * 2 : 1024;
            questions = realloc(questions, room * sizeof asked);
        }
        if (!questions || !asked.name)
            fail("out of memory", 0);
        questions[count++] = asked;
    }
    fclose(file);
}

static void pass(struct ub_ctx *context, size_t in_flight)
{
    size_t next = 0;
    struct pollfd event = {ub_fd(context), POLLIN, 0};
    memset(tally, 0, sizeof tally);
    wrong = 0;
    answered = 0;
    while (answered < count) {
        int code;
        while (next < count && next - answered < in_flight) {
            struct asked *asked = &questions[next++];
            code = ub_resolve_async(context, asked->name, asked->type, 1, asked, done, NULL);
            if (code)
                fail(asked->name, code);
        }
        poll(&event, 1, 1000);
        code = ub_process(context);
        if (code)
            fail("process", code);
    }
    printf("tally");
    for (int outcome = 0; outcome < OUTCOMES; outcome++)
        printf(" %ld", tally[outcome]);
    printf(" wrong %ld\n", wrong);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[64];
    int code;
    struct ub_ctx *context = ub_ctx_create();
    if (argc != 4 || !context)
        fail("usage: libunbound CONFIGURATION QUESTIONS IN-FLIGHT", 0);
    /* A thread, not a process: before anything else that touches the context. */
    code = ub_ctx_async(context, 1);
    if (code == 0)
        code = ub_ctx_config(context, argv[1]);
    if (code)
        fail(argv[1], code);
    read_questions(argv[2]);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        pass(context, strtoul(argv[3], NULL, 10));
    ub_ctx_delete(context);
    return 0;
}
