/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * times.c - Windows' file times as text
 */
#include "tool.h"

#include <ctype.h>
#include <errno.h>

#define DAY_SECONDS INT64_C(86400)
/* 10000-01-01, the first that four digits can't write */
#define YEAR_10000 (INT64_C(253402300800) + FILETIME_EPOCH_SECONDS)

/* Days since 1970-01-01 of a date in the Gregorian calendar, by 400-year eras that begin in March.
 */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

const char *filetime_text(int64_t t, char *buf)
{
	struct timespec ts;
	struct tm tm;

	if (t < 0 || t / FILETIME_SECOND >= YEAR_10000) {
		snprintf(buf, TIME_TEXT, "%lld", (long long)t);
		return buf;
	}
	filetime_to_unix(t, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	snprintf(buf, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%07ldZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 100);
	return buf;
}

/* @n digits; -1 if there are others. */
static int64_t digits(const char **s, unsigned n)
{
	int64_t v = 0;

	for (; n; n--, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool take(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool valid_date(int64_t year, int64_t month, int64_t day)
{
	static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 &&
	       day <= lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* YYYY-MM-DD; advances *s. */
static bool parse_date(const char **s, int64_t *days)
{
	int64_t year = digits(s, 4);
	int64_t month;
	int64_t day;

	if (year < 1 || !take(s, '-') || (month = digits(s, 2)) < 0 || !take(s, '-') ||
	    (day = digits(s, 2)) < 0 || !valid_date(year, month, day))
		return false;
	*days = days_from_date(year, (unsigned)month, (unsigned)day);
	return true;
}

/* HH:MM:SS */
static bool parse_clock(const char **s, int64_t *seconds)
{
	int64_t hour = digits(s, 2);
	int64_t minute;
	int64_t second;

	if (hour < 0 || hour > 23 || !take(s, ':') || (minute = digits(s, 2)) < 0 || minute > 59 ||
	    !take(s, ':') || (second = digits(s, 2)) < 0 || second > 59)
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

static bool parse_number(const char *s, int64_t *v)
{
	char *end;
	long long n;

	if (!isdigit((unsigned char)*s) && *s != '-')
		return false;
	errno = 0;
	n = strtoll(s, &end, 10);
	if (errno || *end || end == s)
		return false;
	*v = n;
	return true;
}

bool filetime_parse(const char *s, int64_t *t)
{
	char again[TIME_TEXT];
	const char *p = s;
	int64_t days;
	int64_t seconds;
	int64_t fraction;

	if (parse_date(&p, &days)) {
		if (!take(&p, 'T') || !parse_clock(&p, &seconds) || !take(&p, '.') ||
		    (fraction = digits(&p, 7)) < 0 || strcmp(p, "Z"))
			return false;
		*t = (days * DAY_SECONDS + seconds + FILETIME_EPOCH_SECONDS) * FILETIME_SECOND +
		     fraction;
		return *t >= 0;
	}
	/* Only the spelling that filetime_text() would choose. */
	return parse_number(s, t) && !strcmp(filetime_text(*t, again), s);
}

enum time_parsed time_parse_user(const char *s, int64_t *t)
{
	int64_t days;
	int64_t seconds = 0;
	long nanoseconds = 0;

	if (*s == '@') {
		if (!parse_number(s + 1, &seconds))
			return TIME_MISSPELT;
		return filetime_from_unix(seconds, 0, t) ? TIME_PARSED : TIME_UNKNOWN;
	}
	if (!parse_date(&s, &days))
		return TIME_MISSPELT;
	if (*s) {
		if ((!take(&s, 'T') && !take(&s, ' ')) || !parse_clock(&s, &seconds))
			return TIME_MISSPELT;
		if (take(&s, '.')) {
			long unit = 100000000;

			if (!isdigit((unsigned char)*s))
				return TIME_MISSPELT;
			for (; isdigit((unsigned char)*s); s++, unit /= 10)
				nanoseconds += (*s - '0') * unit;
		}
		if (strcmp(s, "Z"))
			return TIME_MISSPELT;
	}
	return filetime_from_unix(days * DAY_SECONDS + seconds, nanoseconds, t) ? TIME_PARSED
										: TIME_UNKNOWN;
}

const char *time_fault(enum time_parsed parsed)
{
	return parsed == TIME_MISSPELT
		       ? "is no time; that is @SECONDS, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ"
		       : "is not a time that Windows knows";
}
