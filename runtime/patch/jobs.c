/* SPDX-License-Identifier: MIT
 * jobs.c - what is asked of the compile thread, as a record: made of a message, kept in a list. No
 * state; any thread. */
#include "job.h"

enum { NOTE_MAX = 1024, BUILDS_MAX = 32 << 10 };

char *job_text(const msg *m, int i)
{
	return mem_string(msg_str(m, i), msg_len(m, i));
}

static bool key_is(const struct msg_item *key, const char *name)
{
	return key->type == MSG_STR && key->len == strlen(name) &&
	       !memcmp(key->str, name, key->len);
}

static void option(struct job *j, const struct msg_item *key, const struct msg_item *value)
{
	const struct { const char *name; char **to; size_t most; } texts[] = {
		{ "file", &j->file, NOTE_MAX }, { "note", &j->note, NOTE_MAX },
		{ "author", &j->author, NOTE_MAX }, { "probation", &j->probation, NOTE_MAX },
		{ "rollout", &j->rollout, NOTE_MAX }, { "builds", &j->builds, BUILDS_MAX },
	};

	if (key_is(key, "lose_changes"))
		j->lose = value->type == MSG_BOOL && value->i;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (key_is(key, texts[i].name) && value->type == MSG_STR && value->len &&
		    value->len <= texts[i].most) {
			mem_free(*texts[i].to);
			*texts[i].to = mem_string(value->str, value->len);
		}
}

struct job *job_new(const msg *m, enum kind kind, int source, const char *file)
{
	struct job *j = mem_alloc(sizeof *j);

	j->kind = kind;
	if (source >= 0) {
		j->text = job_text(m, source);
		j->len = msg_len(m, source);
	}
	j->file = mem_string(file, strlen(file));
	j->note = mem_string("", 0);
	j->author = mem_string("", 0);
	return j;
}

void job_options(struct job *j, const msg *m)
{
	struct msg_items list = msg_items(m, 1);
	struct msg_item key, value;

	while (msg_next(&list, &key) && msg_next(&list, &value))
		option(j, &key, &value);
}

void job_free(struct job *j)
{
	if (!j)
		return;
	code_drop(j->hold);
	mem_free(j->text);
	mem_free(j->file);
	mem_free(j->note);
	mem_free(j->author);
	mem_free(j->topic);
	mem_free(j->handler);
	mem_free(j->function);
	mem_free(j->terms);
	mem_free(j->probation);
	mem_free(j->rollout);
	mem_free(j->builds);
	mem_free(j->failed);
	buf_fini(&j->said);
	buf_fini(&j->warnings);
	buf_fini(&j->out);
	buf_fini(&j->line);
	buf_fini(&j->made_for);
	buf_fini(&j->reverts);
	mem_free(j);
}

void jobs_push(struct jobs *l, struct job *j)
{
	j->next = NULL;
	if (!l->first)
		l->last = &l->first;
	*l->last = j;
	l->last = &j->next;
	l->n++;
}

void jobs_push_first(struct jobs *l, struct job *j)
{
	j->next = l->first;
	if (!l->first)
		l->last = &j->next;
	l->first = j;
	l->n++;
}

struct job *jobs_pop(struct jobs *l)
{
	struct job *j = l->first;

	if (j) {
		l->first = j->next;
		l->n--;
	}
	return j;
}
