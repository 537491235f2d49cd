/* Writes the calendar sample data: questions for a day of the week with a worked chain and an answer that can be
 * checked. Usage and files are those of rows.h; formulas.jsonl holds the reckoning without words ("20 + 5 days after
 * Tuesday").
 *
 *     Today is Tuesday. The fair opens in 16 days. Which day is that?
 *     16 = 2 x 7 + 2. After Tuesday: Wednesday Thursday. The answer is Thursday.
 *
 * A kind of question is a row of a table: what is done with its one or two numbers to get the days, whether they are
 * counted on or back, how often it is asked, and ways to say it. The chain tells the days one by one, because a sum
 * modulo 7 in one step ("Tuesday + 5 = Sunday") is what small models learn last: neither number alone says anything of
 * the result. The facts it needs (a number taken apart, two numbers joined) are some hundreds, so that a model of some
 * hundred thousand weights learns them all from many examples and only the frequent ones from a thousand. */
#include <stddef.h>

#include "sample_data/rows.h"

enum { MAX_WAYS = 8, DAYS_MIN = 8, DAYS_MAX = 60, WEEK = 7 };

static const char *const days[WEEK] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"March", "April", "May", "June", "July"}; /* of 30 days at least */
static const char *const places[] = {"Rome", "Paris", "Oslo", "Bonn", "Lima", "Cairo"};

/* Told as "{E} {v}" (the fair opens) and "{E} {p}" (the fair opened). */
static const struct event {
    const char *Name, *name, *present, *past;
} events[] = {{"The fair", "the fair", "opens", "opened"},     {"The play", "the play", "starts", "started"},
              {"The race", "the race", "starts", "started"},   {"The shop", "the shop", "opens", "opened"},
              {"The boat", "the boat", "leaves", "left"},      {"The train", "the train", "leaves", "left"},
              {"The school", "the school", "opens", "opened"}, {"The trip", "the trip", "starts", "started"}};

enum {
    N_MONTHS = sizeof months / sizeof *months,
    N_PLACES = sizeof places / sizeof *places,
    N_EVENTS = sizeof events / sizeof *events
};

/* How a and b make the days to count. */
enum reckoning { ALONE, SUM, DIFFERENCE, PRODUCT, WEEKS };

/* Placeholders: {D} the day that is known, {a} {b} the numbers, {N} the person, {S} {s} She/she or He/he for that
 * person, {M} a second person, {P} a place, {m} a month, {E} {e} an event (The fair, the fair), {v} {p} its verb now
 * and past. */
struct kind {
    enum reckoning reckoning;
    bool back;
    int chances; /* how often among all kinds */
    int a_min, a_max, b_min, b_max;
    const char *ways[MAX_WAYS];
};

/* clang-format off */
static const struct kind kinds[] = {
    {ALONE, false, 4, DAYS_MIN, DAYS_MAX, 0, 0,
     {"Today is {D}. {E} {v} in {a} days. Which day is that?",
      "It is {D}. In {a} days {e} {v}. On which day is that?",
      "{E} {v} in {a} days. If today is {D}, which day is that?",
      "{N} leaves for {P} on {D}. {S} comes back {a} days later. On which day is {s} back?",
      "{N} sends a letter to {P} on {D}. It takes {a} days. On which day does it get there?",
      "{N} starts a job on {D}. {S} ends it {a} days later. Which day is that?"}},
    {ALONE, true, 4, DAYS_MIN, DAYS_MAX, 0, 0,
     {"Today is {D}. {E} {p} {a} days ago. Which day was that?",
      "It is {D}. {a} days ago {e} {p}. On which day was that?",
      "{E} {p} {a} days ago. If today is {D}, which day was that?",
      "{N} comes back from {P} on {D}. {S} left {a} days before. On which day did {s} leave?",
      "{N} gets a letter from {P} on {D}. It took {a} days. On which day did it leave?",
      "{N} ends a job on {D}. {S} started it {a} days before. Which day was that?"}},
    {SUM, false, 2, DAYS_MIN, 40, 2, 9,
     {"Today is {D}. {E} was to be in {a} days, but is {b} days late. Which day is that?",
      "It is {D}. {N} leaves for {P} in {a} days and comes back {b} days later. On which day is {s} back?",
      "{N} leaves for {P} in {a} days and stays {b} days. If today is {D}, on which day is {s} back?",
      "On {D} {N} has {a} days for a job, but needs {b} days more. On which day does {s} end it?"}},
    {DIFFERENCE, false, 2, DAYS_MIN, 40, 2, 9,
     {"Today is {D}. {E} was to be in {a} days, but is {b} days early. Which day is that?",
      "It is {D}. {E} {v} in {a} days. {N} gets there {b} days before. Which day is that?",
      "On {D} {N} has {a} days for a job, but needs {b} days less. On which day does {s} end it?"}},
    {SUM, true, 2, DAYS_MIN, 40, 2, 9,
     {"Today is {D}. {E} {p} {a} days ago. {N} got there {b} days before that. Which day was that?",
      "{N} got a letter from {P} {a} days ago. It took {b} days. If today is {D}, on which day did it leave?",
      "It is {D}. {N} came back {a} days ago and had left {b} days before. On which day did {s} leave?"}},
    {DIFFERENCE, true, 2, DAYS_MIN, 40, 2, 9,
     {"Today is {D}. {E} {p} {a} days ago. {N} got there {b} days later. Which day was that?",
      "{N} came to {P} {a} days ago and stayed {b} days. If today is {D}, on which day did {s} leave?",
      "It is {D}. {N} sent a letter {a} days ago. It took {b} days. On which day did it get there?"}},
    {DIFFERENCE, false, 2, DAYS_MIN, 30, 1, 30,
     {"Today is {D}, {m} {b}. {E} {v} on {m} {a}. Which day is that?",
      "{m} {b} is a {D}. Which day is {m} {a}?",
      "{N} leaves for {P} on {D}, {m} {b}. {S} comes back on {m} {a}. On which day is {s} back?"}},
    {DIFFERENCE, true, 2, DAYS_MIN, 30, 1, 30,
     {"Today is {D}, {m} {a}. {E} {p} on {m} {b}. Which day was that?",
      "{m} {a} is a {D}. Which day is {m} {b}?",
      "{N} comes back from {P} on {D}, {m} {a}. {S} left on {m} {b}. On which day did {s} leave?"}},
    {PRODUCT, false, 2, 2, 9, 2, 9,
     {"A bag of nuts lasts {b} days. {N} opens the first of {a} bags on {D}. On which day does {s} need a new one?",
      "{N} calls {M} every {b} days. {S} calls on {D}. Which day is it {a} calls later?",
      "A boat leaves for {P} every {b} days. One leaves on {D}. Which day is it {a} boats later?"}},
    {PRODUCT, true, 2, 2, 9, 2, 9,
     {"{N} calls {M} every {b} days. {S} calls on {D}. Which day was it {a} calls before?",
      "A boat leaves for {P} every {b} days. One leaves on {D}. Which day was it {a} boats before?"}},
    {WEEKS, false, 2, 2, 8, 2, 6,
     {"Today is {D}. {E} {v} in {a} weeks and {b} days. Which day is that?",
      "{N} leaves for {P} on {D} and stays {a} weeks and {b} days. On which day is {s} back?",
      "{E} {v} in {a} weeks and {b} days. If today is {D}, which day is that?"}},
    {WEEKS, true, 2, 2, 8, 2, 6,
     {"Today is {D}. {E} {p} {a} weeks and {b} days ago. Which day was that?",
      "{N} came to {P} {a} weeks and {b} days ago. If today is {D}, on which day did {s} come?",
      "It is {D}. {a} weeks and {b} days ago {e} {p}. On which day was that?"}},
};
/* clang-format on */
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* One question: what fills the placeholders, and the solution. */
struct question {
    const struct kind *kind;
    struct people who;
    const struct event *event;
    const char *place, *month;
    int a, b, days, day; /* days to count; the known day, 0 = Monday */
};

static const struct kind *choose_kind(struct choices *c) {
    int total = 0, k = 0;
    for (int i = 0; i < N_KINDS; i++) total += kinds[i].chances;
    for (int left = choose(c, total); left >= kinds[k].chances; k++) left -= kinds[k].chances;
    return &kinds[k];
}

static int days_of(enum reckoning r, int a, int b) {
    switch (r) {
    case SUM: return a + b;
    case DIFFERENCE: return a - b;
    case PRODUCT: return a * b;
    case WEEKS: return a * WEEK + b;
    default: return a;
    }
}

/* Numbers that make DAYS_MIN to DAYS_MAX days (at least a week, so that there is something to take apart); redrawn
 * until they do. */
static void choose_numbers(struct choices *c, struct question *q) {
    const struct kind *k = q->kind;
    do {
        q->a = choose_between(c, k->a_min, k->a_max);
        q->b = choose_between(c, k->b_min, k->b_max);
        q->days = days_of(k->reckoning, q->a, q->b);
    } while (q->days < DAYS_MIN || q->days > DAYS_MAX);
}

static bool fill(struct strbuf *out, char key, void *ctx) {
    const struct question *q = ctx;
    switch (key) {
    case 'D': strbuf_puts(out, days[q->day]); return true;
    case 'a': strbuf_printf(out, "%d", q->a); return true;
    case 'b': strbuf_printf(out, "%d", q->b); return true;
    case 'N': strbuf_puts(out, q->who.name); return true;
    case 'M': strbuf_puts(out, q->who.other); return true;
    case 'S': strbuf_puts(out, q->who.She); return true;
    case 's': strbuf_puts(out, q->who.she); return true;
    case 'P': strbuf_puts(out, q->place); return true;
    case 'm': strbuf_puts(out, q->month); return true;
    case 'E': strbuf_puts(out, q->event->Name); return true;
    case 'e': strbuf_puts(out, q->event->name); return true;
    case 'v': strbuf_puts(out, q->event->present); return true;
    case 'p': strbuf_puts(out, q->event->past); return true;
    default: return false;
    }
}

/* The day so many days on or back from the known one; n <= WEEK. */
static const char *day_from(const struct question *q, int n) {
    return days[(q->day + (q->kind->back ? WEEK - n : n)) % WEEK];
}

static void add_reckoning(struct strbuf *out, const struct question *q) {
    switch (q->kind->reckoning) {
    case SUM: strbuf_printf(out, "%d + %d", q->a, q->b); break;
    case DIFFERENCE: strbuf_printf(out, "%d - %d", q->a, q->b); break;
    case PRODUCT: strbuf_printf(out, "%d x %d", q->a, q->b); break;
    case WEEKS: strbuf_printf(out, "%d weeks and %d", q->a, q->b); break;
    default: strbuf_printf(out, "%d", q->a);
    }
}

/* The days are made, whole weeks taken out, and the rest told from the known day on. */
static void add_chain(struct strbuf *out, const struct question *q) {
    const enum reckoning r = q->kind->reckoning;
    const int rest = q->days % WEEK;
    if (r == WEEKS) {
        strbuf_printf(out, "%d weeks change nothing.", q->a);
    } else {
        add_reckoning(out, q);
        if (r != ALONE) strbuf_printf(out, " = %d", q->days);
        strbuf_printf(out, " = %d x 7 + %d.", q->days / WEEK, rest);
    }
    if (rest > 0) strbuf_printf(out, " %s %s:", q->kind->back ? "Before" : "After", days[q->day]);
    for (int i = 1; i <= rest; i++) strbuf_printf(out, " %s", day_from(q, i));
    strbuf_printf(out, "%s The answer is %s.", rest > 0 ? "." : "", day_from(q, rest));
}

static void make_question(struct choices *c, struct row *r) {
    struct question q = {.kind = choose_kind(c), .who = choose_people(c), .event = &events[choose(c, N_EVENTS)]};
    choose_numbers(c, &q);
    q.place = places[choose(c, N_PLACES)];
    q.month = months[choose(c, N_MONTHS)];
    q.day = choose(c, WEEK);
    expand(&r->prompt, choose_text(c, q.kind->ways, MAX_WAYS), fill, &q);
    add_reckoning(&r->formula, &q);
    strbuf_printf(&r->formula, " days %s %s", q.kind->back ? "before" : "after", days[q.day]);
    add_chain(&r->chain, &q);
    strbuf_puts(&r->answer, day_from(&q, q.days % WEEK));
}

int main(int argc, char **argv) {
    const struct task t = {.name = "make_calendar",
                           .make = make_question,
                           .heldout = 500,
                           .train = 6400,
                           .pretrain = 40000,
                           .formulas = 8000};
    return rows_main(&t, argc, argv);
}
