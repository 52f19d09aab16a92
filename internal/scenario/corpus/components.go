package corpus

import (
	"fmt"
	"strconv"
)

type comp struct {
	name, app string
	weight    int
	files     []string // file:line
	funcs     []string
	msgs      []func(*writer) string // builds jsonPayload tail: ,"msg":...,+ extra fields
	pods      []string
}

// component makes a component of so many pods.
func (x *writer) component(name string, weight, pods int, files, funcs []string, msgs []func(*writer) string) *comp {
	c := &comp{name: name, app: name, weight: weight, files: files, funcs: funcs, msgs: msgs}
	template := x.hex(10)
	for range pods {
		c.pods = append(c.pods, name+"-"+template+"-"+x.an(5))
	}
	return c
}

// components are Prow's, each with how it speaks.
func (x *writer) components() []*comp {
	return []*comp{x.hook(), x.plank(), x.deck(), x.sinker(), x.tide(), x.crier(), x.ghproxy()}
}

func q(s string) string { return strconv.Quote(s) }

func (x *writer) hook() *comp {
	return x.component("hook", 26, 4, []string{"sigs.k8s.io/prow/pkg/hook/server.go:128", "sigs.k8s.io/prow/pkg/hook/events.go:213", "sigs.k8s.io/prow/pkg/plugins/trigger/pull-request.go:75", "sigs.k8s.io/prow/pkg/plugins/approve/approvers/owners.go:401", "sigs.k8s.io/prow/pkg/github/client.go:854"},
		[]string{"sigs.k8s.io/prow/pkg/hook.(*Server).handleIssueCommentEvent", "sigs.k8s.io/prow/pkg/hook.(*Server).demuxEvent", "sigs.k8s.io/prow/pkg/plugins/trigger.handlePR", "sigs.k8s.io/prow/pkg/github.(*client).log"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Issue comment %s.","event-GUID":%s,"event-type":"issue_comment","org":%s,"repo":%s,"pr":%s,"author":%s,"url":"https://github.com/%s/%s/pull/%s#issuecomment-%d"`, x.pick([]string{"created", "edited", "deleted"}), q(x.uuid()), q(x.org()), q(x.repo()), x.pr(), q(x.pick(users)), x.org(), x.repo(), x.pr(), 1900000000+x.r.Intn(300000000))
			},
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"%s(%s, %s, %s)","client":"github","event-GUID":%s,"event-type":"pull_request","plugin":%s,"org":%s,"repo":%s`, x.pick([]string{"GetPullRequestChanges", "ListIssueComments", "GetIssueLabels", "CreateComment", "AddLabel", "GetCombinedStatus", "ListStatuses", "GetRef", "IsMember"}), x.org(), x.repo(), x.pr(), q(x.uuid()), q(x.pick(plugins)), q(x.org()), q(x.repo()))
			},
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Starting %s build.","event-GUID":%s,"event-type":"pull_request","plugin":"trigger","org":%s,"repo":%s,"pr":%s,"job":%s,"base-sha":%s`, x.pick(jobs), q(x.uuid()), q(x.org()), q(x.repo()), x.pr(), q(x.pick(jobs)), q(x.hex(40)))
			},
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Calculated approvers \"%s\" for files [\"pkg/%s/%s.go\", \"pkg/%s/doc.go\"] in OWNERS\ttree\n","event-GUID":%s,"plugin":"approve","org":%s,"repo":%s,"duration":"%d.%06dms"`, x.pick(users), x.an(6), x.an(8), x.an(6), q(x.uuid()), q(x.org()), q(x.repo()), x.r.Intn(900), x.r.Intn(1000000))
			},
		})
}

func (x *writer) plank() *comp {
	return x.component("plank", 14, 1, []string{"sigs.k8s.io/prow/pkg/plank/reconciler.go:392", "sigs.k8s.io/prow/pkg/plank/reconciler.go:877"},
		[]string{"sigs.k8s.io/prow/pkg/plank.(*reconciler).syncPendingJob", "sigs.k8s.io/prow/pkg/plank.(*reconciler).syncTriggeredJob"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Transitioning states.","controller":"plank","from":%s,"to":%s,"job":%s,"name":%s,"type":%s,"build-id":"%d"`, q(x.pick([]string{"triggered", "pending", "scheduling"})), q(x.pick([]string{"pending", "success", "failure", "aborted"})), q(x.pick(jobs)), q(x.uuid()), q(x.pick([]string{"presubmit", "periodic", "postsubmit"})), 1780000000000000000+x.r.Int63n(90000000000000000))
			},
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Create Pod.","controller":"plank","job":%s,"name":%s,"pod":{"metadata":{"name":%s,"namespace":"test-pods","labels":{"created-by-prow":"true","prow.k8s.io/type":"presubmit","prow.k8s.io/refs.org":%s,"prow.k8s.io/refs.repo":%s,"prow.k8s.io/refs.pull":"%s","prow.k8s.io/context":%s}},"spec":{"containers":[{"name":"test","image":"gcr.io/k8s-staging-test-infra/kubekins-e2e:v2026%04d-%s-master","args":["wrapper.sh","bash","-c","make test"],"resources":{"limits":{"cpu":"7300m","memory":"43Gi"},"requests":{"cpu":"7300m","memory":"43Gi"}}}]}}`, q(x.pick(jobs)), q(x.uuid()), q(x.uuid()), q(x.org()), q(x.repo()), x.pr(), q(x.pick(jobs)), 100+x.r.Intn(1200), x.hex(10))
			},
		})
}

func (x *writer) deck() *comp {
	return x.component("deck", 12, 3, []string{"sigs.k8s.io/prow/cmd/deck/main.go:1231", "sigs.k8s.io/prow/pkg/spyglass/spyglass.go:280"},
		[]string{"main.handleRequestJobViews", "sigs.k8s.io/prow/pkg/spyglass.(*Spyglass).FetchArtifacts"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Retrieved artifacts for %s","src":"gs/kubernetes-ci-logs/pr-logs/pull/%s/%s/%d","duration":%d,"traceparent":"00-%s-%s-01"`, x.pick(jobs), x.pr(), x.pick(jobs), 1780000000000000000+x.r.Int63n(90000000000000000), x.r.Intn(2000000000), x.hex(32), x.hex(16))
			},
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Getting artifacts.","viewURL":"/view/gs/kubernetes-ci-logs/logs/%s/%d","path":"/spyglass/lens/%s/iframe","user-agent":%s`, x.pick(jobs), 1780000000000000000+x.r.Int63n(90000000000000000), x.pick([]string{"buildlog", "junit", "metadata", "podinfo", "links"}), q(x.pick(uas)))
			},
		})
}

func (x *writer) sinker() *comp {
	return x.component("sinker", 5, 1, []string{"sigs.k8s.io/prow/cmd/sinker/main.go:490"}, []string{"main.(*controller).deletePod"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Deleted old completed pod.","cluster":%s,"pod":%s,"reason":%s`, q(x.pick([]string{"default", "k8s-infra-prow-build", "eks-prow-build-cluster"})), q(x.uuid()), q(x.pick([]string{"aged", "orphaned", "ttled"})))
			},
		})
}

func (x *writer) tide() *comp {
	return x.component("tide", 12, 1, []string{"sigs.k8s.io/prow/pkg/tide/tide.go:691", "sigs.k8s.io/prow/pkg/tide/status.go:512"}, []string{"sigs.k8s.io/prow/pkg/tide.(*syncController).Sync", "sigs.k8s.io/prow/pkg/tide.(*statusController).setStatuses"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Subpool synced.","controller":"sync","action":%s,"org":%s,"repo":%s,"branch":%s,"base-sha":%s,"targets":[%s],"pool-size":%d`, q(x.pick([]string{"WAIT", "MERGE", "TRIGGER", "TRIGGER_BATCH", "BLOCKED"})), q(x.org()), q(x.repo()), q(x.pick([]string{"main", "master", "release-1.34", "release-1.33"})), q(x.hex(40)), x.pr(), x.r.Intn(30))
			},
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Setting status context.","controller":"status-update","org":%s,"repo":%s,"pr":%s,"sha":%s,"description":"Not mergeable. Needs %s label.","branch":"main"`, q(x.org()), q(x.repo()), x.pr(), q(x.hex(40)), x.pick([]string{"lgtm", "approved", "cla: yes", "lgtm, approved"}))
			},
		})
}

func (x *writer) crier() *comp {
	return x.component("crier", 9, 1, []string{"sigs.k8s.io/prow/pkg/crier/controller.go:195"}, []string{"sigs.k8s.io/prow/pkg/crier.(*reconciler).reconcile"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Completed report.","reporter":%s,"key":"default/%s","jobName":%s,"jobStatus":%s,"prowjob":%s`, q(x.pick([]string{"github-reporter", "gcsk8sreporter", "slackreporter", "pubsub-reporter", "resultstorereporter"})), x.uuid(), q(x.pick(jobs)), q(x.pick([]string{"success", "failure", "aborted", "pending"})), q(x.uuid()))
			},
		})
}

func (x *writer) ghproxy() *comp {
	return x.component("ghproxy", 22, 2, []string{"sigs.k8s.io/prow/pkg/ghcache/ghcache.go:275"}, []string{"sigs.k8s.io/prow/pkg/ghcache.(*upstreamTransport).RoundTrip"},
		[]func(*writer) string{
			func(x *writer) string {
				return fmt.Sprintf(`"msg":"Cache %s","cache-key":"/repos/%s/%s/pulls/%s/files?per_page=100","mode":%s,"authorization":%s,"status":%s,"rate-remaining":%d,"user-agent":"hook/v2026%04d-%s"`, x.pick([]string{"hit", "miss", "revalidated", "changed", "coalesced"}), x.org(), x.repo(), x.pr(), q(x.pick([]string{"REVALIDATED", "MISS", "CHANGED", "COALESCED", "NO-STORE"})), q(x.hex(64)), x.pick([]string{"200", "200", "200", "304", "304", "404", "403"}), x.r.Intn(15000), 100+x.r.Intn(1200), x.hex(9))
			},
		})
}

func (x *writer) org() string  { return x.pick(orgs) }
func (x *writer) repo() string { return x.pick(repos) }
func (x *writer) pr() string   { return strconv.Itoa(100 + x.r.Intn(129000)) }
