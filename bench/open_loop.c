/* Sends requests when they are due, whatever became of the earlier ones, and writes down how late
 * each was sent and answered. Latency counts from the due time, so that a server that stalls pays
 * for everybody who would have come meanwhile (no coordinated omission).
 *
 * In C, and compiled when it is needed: on the cores that it shares with what it measures, 1,500
 * requests a second cost it 5 % of one, nearly all in system calls, and nothing in it pauses. It
 * decides nothing: which requests, in which order, is in the plan (plan.py), and what the figures
 * mean is worked out from its records (open_loop.py).
 *
 * open_loop PORT PLAN RATE COUNT CONNECTIONS RECORDS
 *
 * PLAN: u32 number of requests; each u32 route, u32 length, u32 number of holes, u32 offsets of the
 * holes, bytes. Request i of COUNT is the plan's i modulo its size, its holes (8 bytes) filled with
 * how often the plan was gone through: unique keys without a file as long as the run.
 * RECORDS: per request u32 route, u32 status (0: none came), u32 sent and u32 answered, both in
 * microseconds after it was due. All integers are of this machine.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { HOLE = 8, LARGEST_ANSWER = 4 << 20, FIRST_ROOM = 16 << 10, EVENTS = 256 };
/* After the last request was due: who has no answer by then gets none. */
static const int64_t PATIENCE_NS = 10000000000LL;

typedef struct { uint32_t route, length, holes; const uint32_t *offsets; const char *bytes; } Request;
typedef struct { uint32_t route, status, sent_us, answered_us; } Record;
typedef struct {
    int fd;
    int open, busy;
    uint64_t index;             /* of the request it carries */
    char *out; uint32_t out_length, out_done;
    char *in; size_t in_length, in_room;
} Connection;

static Request *plan;
static uint32_t plan_size, connections_most, opened;
static Connection *connections, **idle;
static uint32_t idle_count;
static Record *records;
static uint64_t count, due_count, sent_count, done_count, lost;
static double rate;
static int64_t begun_ns;
static int poll_fd, port;

static void fail(const char *what) { perror(what); exit(1); }

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t due_ns(uint64_t index) { return begun_ns + (int64_t)(index / rate * 1e9); }

static uint32_t since_due_us(uint64_t index) {
    int64_t us = (now_ns() - due_ns(index)) / 1000;
    return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static uint32_t number(const char **at) {
    uint32_t value;
    memcpy(&value, *at, sizeof value);
    *at += sizeof value;
    return value;
}

static void read_plan(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = malloc(size);
    if (!bytes || fread(bytes, 1, size, file) != (size_t)size) fail("the plan");
    fclose(file);
    const char *at = bytes;
    plan_size = number(&at);
    plan = calloc(plan_size, sizeof *plan);
    for (uint32_t i = 0; i < plan_size; i++) {
        Request *r = &plan[i];
        r->route = number(&at);
        r->length = number(&at);
        r->holes = number(&at);
        uint32_t *offsets = calloc(r->holes + 1, sizeof *offsets);
        for (uint32_t h = 0; h < r->holes; h++) offsets[h] = number(&at);
        r->offsets = offsets;
        r->bytes = at;
        at += r->length;
    }
}

static void open_connection(Connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) fail("socket");
    /* Blocking: on loopback it is over at once or refused, and the backlog is the server's. */
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    int yes = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
    c->open = 1;
    c->in_length = 0;
}

static void finish(Connection *c, uint32_t status) {
    Record *record = &records[c->index];
    record->status = status;
    record->answered_us = since_due_us(c->index);
    lost += status == 0;
    done_count++;
    c->busy = 0;
    idle[idle_count++] = c;
}

static void lose(Connection *c) {
    close(c->fd);
    c->open = 0;
    if (c->busy) finish(c, 0);
}

static void write_out(Connection *c) {
    while (c->out_done < c->out_length) {
        ssize_t n = send(c->fd, c->out + c->out_done, c->out_length - c->out_done, MSG_NOSIGNAL);
        if (n < 0) { lose(c); return; }
        c->out_done += n;
    }
}

static void start(Connection *c, uint64_t index) {
    const Request *r = &plan[index % plan_size];
    if (!c->open) open_connection(c);
    c->out = realloc(c->out, r->length);
    memcpy(c->out, r->bytes, r->length);
    char turn[HOLE + 1];
    snprintf(turn, sizeof turn, "%08u", (unsigned)(index / plan_size % 100000000));
    for (uint32_t h = 0; h < r->holes; h++) memcpy(c->out + r->offsets[h], turn, HOLE);
    c->out_length = r->length;
    c->out_done = 0;
    c->index = index;
    c->busy = 1;
    c->in_length = 0;
    records[index].route = r->route;
    records[index].sent_us = since_due_us(index);
    sent_count++;
    write_out(c);
}

static void send_what_is_due(void) {
    while (due_count < count && due_ns(due_count) <= now_ns()) due_count++;
    while (sent_count < due_count) {
        if (!idle_count && opened < connections_most) idle[idle_count++] = &connections[opened++];
        if (!idle_count) return;
        start(idle[--idle_count], sent_count);
    }
}

/* The length of the whole answer, 0 while that is not known. */
static size_t answer_length(const Connection *c) {
    const char *end = memmem(c->in, c->in_length, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = end + 4 - c->in, body = 0;
    for (const char *line = c->in; line < end;) {
        const char *next = memmem(line, end + 2 - line, "\r\n", 2);
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
        line = next + 2;
    }
    return head + body;
}

static void read_in(Connection *c) {
    if (c->in_room - c->in_length < FIRST_ROOM / 2) {
        c->in_room = c->in_room ? c->in_room * 2 : FIRST_ROOM;
        if (c->in_room > LARGEST_ANSWER) { lose(c); return; }
        c->in = realloc(c->in, c->in_room);
    }
    ssize_t n = recv(c->fd, c->in + c->in_length, c->in_room - c->in_length - 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { lose(c); return; }
    c->in_length += n;
    c->in[c->in_length] = 0;
    size_t whole = answer_length(c);
    if (!c->busy || !whole || c->in_length < whole) return;
    finish(c, strncmp(c->in, "HTTP/1.1 ", 9) ? 0 : strtoul(c->in + 9, NULL, 10));
}

static void arm(int timer, int64_t at_ns) {
    struct itimerspec when = {.it_value = {at_ns / 1000000000LL, at_ns % 1000000000LL}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL)) fail("timerfd_settime");
}

static void run(void) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    /* Edge-triggered, and set once per due time: reading it, or setting it again after every answer,
     * would double the system calls, and these are what replaying costs. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, events[EVENTS];
    int64_t armed_ns = 0;
    if (timer < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &event)) fail("timer");
    begun_ns = now_ns() + 1000000;
    int64_t last_ns = due_ns(count) + PATIENCE_NS;
    while (done_count < count && now_ns() < last_ns) {
        send_what_is_due();
        int64_t next_ns = due_count < count ? due_ns(due_count) : last_ns;
        if (next_ns != armed_ns) arm(timer, armed_ns = next_ns);
        int ready = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            if (events[i].data.ptr) read_in(events[i].data.ptr);
    }
}

int main(int argc, char **argv) {
    if (argc != 7) { fprintf(stderr, "see the head of open_loop.c\n"); return 2; }
    prctl(PR_SET_PDEATHSIG, SIGKILL);   /* whoever started us wants the figures; nobody else does */
    port = atoi(argv[1]);
    read_plan(argv[2]);
    rate = atof(argv[3]);
    count = strtoull(argv[4], NULL, 10);
    connections_most = strtoul(argv[5], NULL, 10);
    connections = calloc(connections_most, sizeof *connections);
    idle = calloc(connections_most, sizeof *idle);
    records = calloc(count, sizeof *records);
    poll_fd = epoll_create1(0);
    if (!connections || !idle || !records || poll_fd < 0) fail("start");
    run();
    for (uint64_t i = 0; i < sent_count; i++)
        if (!records[i].answered_us) { records[i].answered_us = since_due_us(i); lost++; }
    for (uint64_t i = sent_count; i < count; i++)   /* never sent: no connection was free */
        records[i] = (Record){plan[i % plan_size].route, 0, since_due_us(i), since_due_us(i)};
    lost += count - sent_count;
    FILE *file = fopen(argv[6], "wb");
    if (!file || fwrite(records, sizeof *records, count, file) != count || fclose(file)) fail(argv[6]);
    printf("{\"connections\": %u, \"lost\": %llu}\n", opened, (unsigned long long)lost);
    return 0;
}
