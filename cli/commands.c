/*
 * commands: the one table of what kite can do. Parser, help text, completion and the manual page's test read these rows.
 */
#include <string.h>

#include "kite.h"

/* clang-format off */
#define OPTIONS(rows) {(rows), KB_LEN(rows)}
#define NONE {NULL, 0}

static const struct kite_option common[] = {
	{"home",            0,   "DIR",    "your folder of keys; default $KITE_HOME, else ~/.config/kite"},
	{"desk",            0,   "SOCKET", "the desk's socket; default from the file settings of your folder, else /run/kitebox/desk.sock"},
	{"passphrase-file", 0,   "FILE",   "take the passphrase from the first line of FILE; default: ask on the terminal"},
	{"json",            0,   NULL,     "write JSON instead of text (docs/JSON.md)"},
	{"libexec",         0,   "DIR",    "where the programs of the sandbox are; default $KITE_LIBEXEC, else from settings, else where they were installed"},
	{"help",            'h', NULL,     "say how the command is used"},
};

static const struct kite_option setup[] = {
	{"out",         0, "DIR",                "the folder to make; it must be new or empty"},
	{"supervisor",  0, "ID:NAME",            "a supervisor; may be given again; one at least"},
	{"coordinator", 0, "ID:NAME",            "a coordinator; may be given again"},
	{"destination", 0, "ID:ADDRESS[:flags=FLAG,...][:key=AGE1...]",
		"where referrals go; the first takes every allegation and what is in doubt, one with flags takes what has one of them too; "
		"with a key of the investigators' own none is made"},
	{"store-host",  0, "NAME",               "the host's name, for the setup sheet"},
	{"work-factor", 0, "N",                  "how dear a guess at the passphrase is, as a power of two; default 18"},
};

static const struct kite_option list[] = {
	{"all",   'a', NULL, "closed cases too"},
	{"limit", 'n', "N",  "no more than N messages"},
};

static const struct kite_option show[] = {
	{"raw", 0, NULL, "write the message's octets exactly as they were received, and nothing else"},
};

static const struct kite_option pull[] = {
	{"out",     0,   "DIR", "the folder to write to; it is made when it is not there"},
	{"eml",     0,   NULL,  "a file a message (the default)"},
	{"maildir", 0,   NULL,  "a Maildir, for a mail program"},
	{"all",     'a', NULL,  "closed cases too, where no case is named"},
};

static const struct kite_option export[] = {
	{"sealed", 0, NULL,  "as they are stored: age files, which age opens with your identity"},
	{"out",    0, "DIR", "the folder to write to; it is made when it is not there"},
};

static const struct kite_option referrals[] = {
	{"all",   'a', NULL, "of closed cases too"},
	{"limit", 'n', "N",  "no more than N referrals"},
};

static const struct kite_option seal[] = {
	{"recipient",       'r', "AGE1...", "somebody who can open it; may be given again"},
	{"recipients-file", 'R', "FILE",    "recipients from FILE, one a line; may be given again"},
	{"passphrase",      'p', NULL,      "with a passphrase instead of recipients"},
	{"armor",           'a', NULL,      "write text that survives e-mail"},
	{"output",          'o', "FILE",    "write to FILE, which must not exist; default: standard output"},
	{"work-factor",     0,   "N",       "with a passphrase: how dear a guess is, as a power of two; default 18"},
};

static const struct kite_option open_[] = {
	{"identity", 'i', "FILE", "who opens it; may be given again; default: the identity of your folder"},
	{"stream",   0,   NULL,   "write each piece as soon as it has verified, instead of nothing before all has"},
	{"output",   'o', "FILE", "write to FILE, which must not exist; default: standard output"},
};

static const struct kite_option sample[] = {
	{"size",  0, "N",    "how many to draw; default 100"},
	{"seed",  0, "TEXT", "what decides which; say it before you look"},
	{"from",  0, "FILE", "draw from what kite triage eval wrote, instead of from the desk"},
	{"of",    0, "N",    "with --found: how many were looked at"},
	{"found", 0, "N",    "how many of these were allegations: says what that means for all inquiries"},
};

static const struct kite_option triage[] = {
	{"rules",    0,   "FILE", "the rules of triage; default: those that were installed"},
	{"model",    0,   "FILE", "the model of triage; default: the one that was installed"},
	{"output",   'o', "FILE", "train: the model to write"},
	{"answers",  0,   "FILE", "train: write what was said of each message by a model that had not seen it, as JSON lines"},
	{"serial",   0,   "N",    "train: the model's number, which stands in each verdict; default 1"},
	{"recall",   0,   "0.N",  "train: the share of allegations that the lower threshold must not miss; default 0.985"},
	{"outright", 0,   "0.N",  "train: the share of other messages that may be called an allegation; default 0.04"},
};

const struct kite_options kite_common_options = OPTIONS(common);

const struct kite_command kite_commands[] = {
	/* name        words                summary                                                    options             words    json    run */
	{"setup",     "",                  "make a new office: keys, roster, what the host gets",    OPTIONS(setup),     0, 0,    true,   kite_run_setup},
	{"list",      "[CASE]",            "the desk's messages, newest first",                      OPTIONS(list),      0, 1,    true,   kite_run_list},
	{"show",      "CASE|MESSAGE",      "read a case, or one message of it",                      OPTIONS(show),      1, 1,    true,   kite_run_show},
	{"pull",      "[CASE|MESSAGE...]", "decrypt messages into files of yours",                   OPTIONS(pull),      0, 4000, true,   kite_run_pull},
	{"export",    "CASE|MESSAGE...",   "copy sealed messages out, still sealed",                 OPTIONS(export),    1, 4000, true,   kite_run_export},
	{"referrals", "[CASE]",            "what was referred, where to, and how far it got",        OPTIONS(referrals), 0, 1,    true,   kite_run_referrals},
	{"status",    "",                  "is everything well? status 1 when there is a fault",     NONE,               0, 0,    true,   kite_run_status},
	{"seal",      "[FILE]",            "seal a file for others, as age does",                    OPTIONS(seal),      0, 1,    false,  kite_run_seal},
	{"open",      "[FILE]",            "open a sealed file, as age does",                        OPTIONS(open_),     0, 1,    false,  kite_run_open},
	{"sample",    "",                  "draw inquiries for a second look; say what it found",   OPTIONS(sample),    0, 0,    true,   kite_run_sample},
	{"triage",    "eval|train|test FILE...", "judge messages, or learn from judged ones; needs no desk", OPTIONS(triage), 2, 1000, false, kite_run_triage},
	{"help",      "[COMMAND]",         "how kite, or a command, is used",                        NONE,               0, 1,    false,  kite_run_help},
	{NULL, NULL, NULL, NONE, 0, 0, false, NULL},
};
/* clang-format on */

const struct kite_command *kite_command_find(struct kb_span name)
{
	for (const struct kite_command *c = kite_commands; c->name; c++)
		if (kb_span_eq(kb_span_str(c->name), name))
			return c;
	return NULL;
}
