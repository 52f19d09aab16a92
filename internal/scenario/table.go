package scenario

import "slices"

// all are the scenarios in the order in which they are listed.
var all = slices.Concat(recorded, broken, harmless)

// recorded are days on record, and the ordinary ones.
var recorded = []Scenario{
	{
		Name: "quiet-day", About: "24 ordinary hours: nobody may be told anything.",
		Start: at("2026-03-03T00:00:00Z"), End: at("2026-03-04T00:00:00Z"), Fault: at("2026-03-03T00:00:00Z"),
		era: modern, project: todayProject, play: quietDay,
	},
	{
		Name: "outage-2019-01-23", About: "A configuration that does not load; what restarts dies of it, hook last: one incident, a page at the first death.",
		Start: at("2019-01-22T22:30:00Z"), End: at("2019-01-23T17:30:00Z"), Fault: at("2019-01-22T23:28:49Z"),
		era: legacy, project: oldProject, play: configOutage,
	},
	{
		Name: "hook-panic-2019-09-24", About: "A rollout lets hook panic on some events, restart after restart: one incident, a page within ten minutes.",
		Start: at("2019-09-24T15:00:00Z"), End: at("2019-09-24T18:00:00Z"), Fault: at("2019-09-24T16:02:10Z"),
		era: early, project: oldProject, play: hookPanic,
	},
	{
		Name: "github-502-flood", About: "GitHub answers with 502 and 403 for 25 minutes; Prow is well: nobody may be paged.",
		Start: at("2026-05-05T10:00:00Z"), End: at("2026-05-05T13:00:00Z"), Fault: at("2026-05-05T11:05:00Z"),
		era: modern, project: todayProject, play: githubFlood,
	},
	{
		Name: "control-plane-upgrade", About: "Everything but one pod of hook restarts for five minutes and is well again: nobody may be paged.",
		Start: at("2026-06-06T02:00:00Z"), End: at("2026-06-06T05:00:00Z"), Fault: at("2026-06-06T03:00:00Z"),
		era: modern, project: todayProject, play: controlPlaneUpgrade,
	},
	{
		Name: "busy-day", About: "Twelve busy hours: rollouts, jobs that fail in every way, an upgrade: the channel that people read stays silent.",
		Start: at("2026-07-07T08:00:00Z"), End: at("2026-07-07T20:00:00Z"), Fault: at("2026-07-07T08:00:00Z"),
		era: modern, project: todayProject, play: busyDay,
	},
}

// broken are the kinds of failure that Prow's oncall has met, in the entries of the years in which they were met and of today.
var broken = []Scenario{
	{
		Name: "boskos-crd-2019-03-26", About: "Boskos, beside the jobs, dies of a definition that the cluster refuses: a page once it has lasted ten minutes.",
		Start: at("2019-03-26T08:30:00Z"), End: at("2019-03-26T11:00:00Z"), Fault: at("2019-03-26T09:44:13Z"),
		era: legacy, project: oldProject, play: boskosDies,
	},
	{
		Name: "config-too-large-2019-03-08", About: "Merged configuration is too large for its config map and is not applied: people are told at the first.",
		Start: at("2019-03-08T18:30:00Z"), End: at("2019-03-08T21:30:00Z"), Fault: at("2019-03-08T19:51:01Z"),
		era: legacy, project: oldProject, play: configTooLarge,
	},
	{
		Name: "tide-stuck-2019-02-20", About: "Since a rollout tide fails each sync, and nothing merges: a page within half an hour.",
		Start: at("2019-02-20T18:00:00Z"), End: at("2019-02-20T21:00:00Z"), Fault: at("2019-02-20T19:00:00Z"),
		era: legacy, project: oldProject, play: tideStuck,
	},
	{
		Name: "mounts-2019-11-12", About: "A secret that pods mount is gone, and nodes are replaced: what restarts does not start; told within minutes, paged within twelve.",
		Start: at("2019-11-12T19:00:00Z"), End: at("2019-11-12T21:00:00Z"), Fault: at("2019-11-12T19:40:00Z"),
		era: early, project: oldProject, play: mountsFail,
	},
	{
		Name: "probes-kill-hook-2020-08-20", About: "A rollout makes hook too slow for its own probes; it is killed without a line of its own until none is left: one incident, a page.",
		Start: at("2020-08-20T16:30:00Z"), End: at("2020-08-20T18:30:00Z"), Fault: at("2020-08-20T17:05:00Z"),
		era: modern, project: oldProject, play: probesKill,
	},
	{
		Name: "tokens-2019-07-18", About: "The GitHub token is used up for an hour: people are told within twenty minutes.",
		Start: at("2019-07-18T08:00:00Z"), End: at("2019-07-18T10:30:00Z"), Fault: at("2019-07-18T08:40:00Z"),
		era: early, project: oldProject, play: tokensUsedUp,
	},
	{
		Name: "plugin-2021-08-18", About: "After a rollout a plugin of hook fails on everything: people are told within half an hour, and the rollout is named.",
		Start: at("2021-08-18T21:30:00Z"), End: at("2021-08-18T23:30:00Z"), Fault: at("2021-08-18T22:05:00Z"),
		era: modern, project: oldProject, play: brokenPlugin,
	},
	{
		Name: "usage-error", About: "A flag that the new image of tide does not know: its usage text, and a crash loop; paged after ten minutes, in its words.",
		Start: at("2026-02-10T09:00:00Z"), End: at("2026-02-10T11:00:00Z"), Fault: at("2026-02-10T09:30:00Z"),
		era: modern, project: todayProject, play: usageError,
	},
	{
		Name: "silent-crash-loop", About: "One of four pods of hook has been in back-off since before we look, every 303 s, with no line of its own: a page within a quarter of an hour.",
		Start: at("2026-02-11T09:00:00Z"), End: at("2026-02-11T11:00:00Z"), Fault: at("2026-02-11T09:30:00Z"),
		era: modern, project: todayProject, play: silentCrashLoop,
	},
	{
		Name: "no-room", About: "No node takes the pods of Prow that are evicted: told within minutes, paged within twelve.",
		Start: at("2026-02-12T09:00:00Z"), End: at("2026-02-12T11:00:00Z"), Fault: at("2026-02-12T09:30:00Z"),
		era: modern, project: todayProject, play: noRoom,
	},
	{
		Name: "nodes-come-and-go", About: "Four nodes are lost and come back, again and again, and what runs there is killed each time: one incident, told within minutes.",
		Start: at("2026-02-13T09:00:00Z"), End: at("2026-02-13T11:00:00Z"), Fault: at("2026-02-13T09:30:00Z"),
		era: modern, project: todayProject, play: nodesFlap,
	},
	{
		Name: "all-silent", About: "All components stop speaking at once: a page within a quarter of an hour.",
		Start: at("2026-02-14T09:00:00Z"), End: at("2026-02-14T11:00:00Z"), Fault: at("2026-02-14T09:30:00Z"),
		era: modern, project: todayProject, play: allSilent,
	},
	{
		Name: "all-silent-2019", About: "The same in the entries of 2019.",
		Start: at("2019-05-14T09:00:00Z"), End: at("2019-05-14T11:00:00Z"), Fault: at("2019-05-14T09:30:00Z"),
		era: legacy, project: oldProject, play: allSilent,
	},
	{
		Name: "certificate-expires", About: "The certificate has 14 days left: people are told, nobody is paged.",
		Start: at("2026-02-15T09:00:00Z"), End: at("2026-02-15T11:00:00Z"), Fault: at("2026-02-15T09:30:00Z"),
		era: modern, project: todayProject, play: certificateExpires,
	},
	{
		Name: "certificate-expired", About: "The certificate has expired: no webhook comes through, hook itself is well; a page within five minutes that says so.",
		Start: at("2026-02-16T09:00:00Z"), End: at("2026-02-16T11:00:00Z"), Fault: at("2026-02-16T09:30:00Z"),
		era: modern, project: todayProject, play: certificateExpired,
	},
	{
		Name: "github-not-sending", About: "GitHub sends nothing while hook is well: people are told, nobody is paged.",
		Start: at("2026-02-17T09:00:00Z"), End: at("2026-02-17T11:30:00Z"), Fault: at("2026-02-17T09:30:00Z"),
		era: modern, project: todayProject, play: githubNotSending,
	},
	{
		Name: "github-errors", About: "GitHub answers with errors for two hours while things still merge: people are told after one, nobody is paged.",
		Start: at("2026-02-18T09:00:00Z"), End: at("2026-02-18T12:30:00Z"), Fault: at("2026-02-18T09:30:00Z"),
		era: modern, project: todayProject, play: githubErrors,
	},
	{
		Name: "github-stops-merges", About: "GitHub answers with errors, and nothing merges: a page within two hours, that names GitHub's errors.",
		Start: at("2019-06-02T09:00:00Z"), End: at("2019-06-02T13:00:00Z"), Fault: at("2019-06-02T09:30:00Z"),
		era: legacy, project: oldProject, play: githubStopsMerges,
	},
	{
		Name: "jobs-fail", About: "No job succeeds any more, the heartbeat job neither; no component says an error: a page within half an hour.",
		Start: at("2026-02-19T09:00:00Z"), End: at("2026-02-19T11:00:00Z"), Fault: at("2026-02-19T09:30:00Z"),
		era: modern, project: todayProject, play: jobsFail,
	},
	{
		Name: "webhooks-slow", About: "hook answers slower and slower, until GitHub hangs up: a page within a quarter of an hour of that.",
		Start: at("2026-02-20T09:00:00Z"), End: at("2026-02-20T11:00:00Z"), Fault: at("2026-02-20T09:30:00Z"),
		era: modern, project: todayProject, play: webhooksSlow,
	},
	{
		Name: "restarts-unsaid", About: "tide is started again every few minutes; nothing but the starts is told: a page within a quarter of an hour.",
		Start: at("2026-03-02T09:00:00Z"), End: at("2026-03-02T11:00:00Z"), Fault: at("2026-03-02T09:30:00Z"),
		era: modern, project: todayProject, play: restartsUnsaid,
	},
	{
		Name: "map-missing", About: "What crier is started with is not there: a page within a quarter of an hour, in the kubelet's words.",
		Start: at("2026-03-04T09:00:00Z"), End: at("2026-03-04T11:00:00Z"), Fault: at("2026-03-04T09:30:00Z"),
		era: modern, project: todayProject, play: mapMissing,
	},
	{
		Name: "webhooks-refused", About: "hook refuses all webhooks; the probe is well: people are told within a quarter of an hour.",
		Start: at("2026-03-05T09:00:00Z"), End: at("2026-03-05T11:30:00Z"), Fault: at("2026-03-05T09:30:00Z"),
		era: modern, project: todayProject, play: webhooksRefused,
	},
	{
		Name: "no-more-pods-2019", About: "A quota refuses the pods of jobs, which only plank's errors tell: people are told within ten minutes.",
		Start: at("2019-03-06T09:00:00Z"), End: at("2019-03-06T11:00:00Z"), Fault: at("2019-03-06T09:30:00Z"),
		era: legacy, project: oldProject, play: noMorePods,
	},
	{
		Name: "github-silent-for-long", About: "GitHub sends next to nothing for two hours and a half of a working day: people are told once, nobody is paged.",
		Start: at("2026-03-17T16:00:00Z"), End: at("2026-03-17T20:30:00Z"), Fault: at("2026-03-17T17:30:00Z"),
		era: modern, project: todayProject, play: githubSilentForLong,
	},
}

// harmless is what looks like failing and is not: nobody is paged, and the channel that people read is silent.
var harmless = []Scenario{
	{
		Name: "test-job-flood", About: "Jobs print all that Prow says when it fails, thousands of times, also from pods and clusters with its names: nobody is told.",
		Start: at("2026-03-10T09:00:00Z"), End: at("2026-03-10T11:00:00Z"), Fault: at("2026-03-10T09:10:00Z"),
		era: modern, project: todayProject, play: jobFlood,
	},
	{
		Name: "test-job-flood-2019", About: "The same in the entries of 2019.",
		Start: at("2019-03-10T09:00:00Z"), End: at("2019-03-10T11:00:00Z"), Fault: at("2019-03-10T09:10:00Z"),
		era: legacy, project: oldProject, play: jobFlood,
	},
	{
		Name: "node-pool-upgrade", About: "The nodes of Prow itself are replaced one by one for an hour and a half: nobody is told.",
		Start: at("2026-03-11T09:00:00Z"), End: at("2026-03-11T12:00:00Z"), Fault: at("2026-03-11T09:30:00Z"),
		era: modern, project: todayProject, play: poolUpgrade,
	},
	{
		Name: "refusals", About: "Scanners and badly set up webhooks get 405, 403, 404 and 400 by the thousand, hook's healthy answers: nobody is told.",
		Start: at("2026-03-12T09:00:00Z"), End: at("2026-03-12T11:00:00Z"), Fault: at("2026-03-12T09:10:00Z"),
		era: modern, project: todayProject, play: refusals,
	},
	{
		Name: "sunday-night", About: "Hardly anything happens, a webhook every two minutes: nobody is told.",
		Start: at("2026-03-15T02:00:00Z"), End: at("2026-03-15T08:00:00Z"), Fault: at("2026-03-15T02:00:00Z"),
		era: modern, project: todayProject, play: sundayNight,
	},
	{
		Name: "early-day", About: "Six ordinary hours of late 2019 with two rollouts, every line of severity ERROR: nobody is told.",
		Start: at("2019-10-08T14:00:00Z"), End: at("2019-10-08T20:00:00Z"), Fault: at("2019-10-08T14:00:00Z"),
		era: early, project: oldProject, play: earlyDay,
	},
	{
		Name: "one-restart-each", About: "Every component dies once with a fatal line while a secret is rotated, and is well again: nobody is paged.",
		Start: at("2026-03-16T09:00:00Z"), End: at("2026-03-16T11:00:00Z"), Fault: at("2026-03-16T09:30:00Z"),
		era: modern, project: todayProject, play: oneRestartEach,
	},
}
