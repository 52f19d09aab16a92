package corpus

var orgs = []string{"kubernetes", "kubernetes-sigs", "kubernetes-client", "etcd-io", "containerd", "istio", "knative", "openshift"}
var repos = []string{"kubernetes", "test-infra", "cluster-api", "kops", "ingress-nginx", "kind", "minikube", "community", "website", "enhancements", "kubectl", "autoscaler", "node-problem-detector", "metrics-server", "etcd", "release", "k8s.io", "prow", "controller-runtime", "kubebuilder"}
var jobs = []string{"pull-kubernetes-unit", "pull-kubernetes-e2e-gce", "pull-kubernetes-integration", "pull-kubernetes-verify", "ci-kubernetes-e2e-gci-gce", "pull-kubernetes-e2e-kind", "pull-test-infra-unit-test", "pull-cluster-api-test-main", "pull-kops-e2e-k8s-gce-cilium", "ci-kubernetes-build-canary", "periodic-node-problem-detector-bump", "pull-website-link-check", "post-test-infra-push-gencred", "ci-test-infra-autobump-prow"}
var users = []string{"k8s-ci-robot", "liggitt", "dims", "aojea", "bentheelder", "cjwagner", "petr-muller", "thockin", "sbueringer", "fabriziopandini", "neolit123", "wojtek-t", "pacoxu", "listx", "chaodaiG", "michelle192837"}
var plugins = []string{"approve", "lgtm", "trigger", "hold", "label", "size", "blunderbuss", "assign", "cat", "dog", "wip", "milestone", "owners-label", "verify-owners", "require-matching-label", "config-updater", "cla", "cherry-picker", "needs-rebase"}
var uas = []string{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", "GitHub-Hookshot/b6f2ea2", "curl/8.5.0", "Go-http-client/2.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "GoogleHC/1.0", "python-requests/2.31.0"}

var errs = []string{
	"Get \\\"https://api.github.com/repos/kubernetes/kubernetes/pulls/%d\\\": context deadline exceeded",
	"status code 404 not one of [200], body: {\\\"message\\\":\\\"Not Found\\\",\\\"documentation_url\\\":\\\"https://docs.github.com/rest\\\",\\\"status\\\":\\\"%d\\\"}",
	"googleapi: got HTTP response code 503 with body: Service Unavailable (request %d)",
	"Operation cannot be fulfilled on prowjobs.prow.k8s.io \\\"pj-%d\\\": the object has been modified; please apply your changes to the latest version and try again",
	"failed to create pod test-pods/%d: admission webhook denied the request: exceeded quota: compute-resources",
	"dial tcp 10.63.240.%d:443: connect: connection refused",
}
