/* The C-module shim over libedit: its calls take any number of arguments, which Swift cannot pass. */
#ifndef DHT_CEDIT_SHIM_H
#define DHT_CEDIT_SHIM_H

#if !__has_include(<histedit.h>)
#error "libedit is missing. Install it: apt-get install libedit-dev (Debian), brew install libedit (macOS)"
#endif

#include <histedit.h>
#include <stdio.h>
#include <wchar.h>

static inline EditLine *dht_edit_make(const char *program) { return el_init(program, stdin, stdout, stderr); }

static inline void dht_edit_set_prompt(EditLine *edit, char *(*prompt)(EditLine *)) {
    el_set(edit, EL_PROMPT, prompt);
}

/* Where characters come from: 1 for one that was read, 0 at the end, -1 if it failed. */
static inline void dht_edit_set_reader(EditLine *edit, int (*reader)(EditLine *, wchar_t *)) {
    el_set(edit, EL_GETCFN, reader);
}

static inline void dht_edit_use_emacs_keys(EditLine *edit) { el_set(edit, EL_EDITOR, "emacs"); }

static inline void dht_edit_add(EditLine *edit, const char *name, unsigned char (*function)(EditLine *, wint_t)) {
    el_set(edit, EL_ADDFN, name, name, function);
}

static inline void dht_edit_bind(EditLine *edit, const char *key, const char *function) {
    el_set(edit, EL_BIND, key, function, NULL);
}

/* The same, in the second keymap: that of vi's commands. */
static inline void dht_edit_bind_in_commands(EditLine *edit, const char *key, const char *function) {
    el_set(edit, EL_BIND, "-a", key, function, NULL);
}

static inline int dht_edit_has_vi_keys(EditLine *edit) {
    const char *editor = NULL;
    return el_get(edit, EL_EDITOR, &editor) == 0 && editor && editor[0] == 'v';
}

/* How the terminal is while a line is typed: a setting of stty's. */
static inline void dht_edit_set_terminal(EditLine *edit, const char *setting) {
    el_set(edit, EL_SETTY, "-d", setting, NULL);
}

/* How it is between two lines. */
static inline void dht_edit_set_terminal_between(EditLine *edit, const char *setting) {
    el_set(edit, EL_SETTY, "-x", setting, NULL);
}

static inline void dht_edit_set_client(EditLine *edit, void *client) { el_set(edit, EL_CLIENTDATA, client); }

static inline void *dht_edit_client(EditLine *edit) {
    void *client = NULL;
    el_get(edit, EL_CLIENTDATA, &client);
    return client;
}

static inline void dht_edit_set_history(EditLine *edit, History *lines) { el_set(edit, EL_HIST, history, lines); }

/* The last `size` lines are remembered, of equal ones in a row one. */
static inline void dht_history_bound(History *lines, int size) {
    HistEvent event;
    history(lines, &event, H_SETSIZE, size);
    history(lines, &event, H_SETUNIQUE, 1);
}

static inline void dht_history_enter(History *lines, const char *line) {
    HistEvent event;
    history(lines, &event, H_ENTER, line);
}

#endif
