// Package deploy_test holds what runs tocsin on GKE to what Kubernetes takes, to the binary, and to its own promises.
package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"tocsin/internal/app"
)

var overlays = []string{"sqlite", "postgres"}

// render is an overlay as kubectl apply -k would send it.
func render(t *testing.T, overlay string) resmap.ResMap {
	t.Helper()
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("overlays", overlay))
	if err != nil {
		t.Fatalf("render %s: %v", overlay, err)
	}
	return m
}

// asJSON decodes YAML as a server would see it.
func asJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func podMonitoringSchema(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile("testdata/podmonitoring.schema.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return asJSON(t, string(data))
}

// objects are an overlay's by kind and name, those of Kubernetes decoded by its own types: what they do not know is an error, so
// is a field given twice. Those of others are held to their published schema.
func objects(t *testing.T, overlay string) map[string]runtime.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	out := map[string]runtime.Object{}
	for _, r := range render(t, overlay).Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		name := r.GetKind() + "/" + r.GetName()
		if r.GetKind() == "PodMonitoring" {
			for _, wrong := range conform("", podMonitoringSchema(t), asJSON(t, string(text))) {
				t.Errorf("%s: %s%s", overlay, name, wrong)
			}
			out[name] = nil
			continue
		}
		object, _, err := decoder.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s: %s: %v", overlay, name, err)
			continue
		}
		out[name] = object
	}
	return out
}

// workload is what runs, whatever kind keeps it there.
type workload struct {
	kind     string
	replicas int32
	template corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
	selector map[string]string
}

func workloadOf(t *testing.T, overlay string) workload {
	t.Helper()
	var found []workload
	for _, o := range objects(t, overlay) {
		switch o := o.(type) {
		case *appsv1.Deployment:
			found = append(found, workload{"Deployment", *o.Spec.Replicas, o.Spec.Template, nil, o.Spec.Selector.MatchLabels})
		case *appsv1.StatefulSet:
			found = append(found, workload{"StatefulSet", *o.Spec.Replicas, o.Spec.Template, o.Spec.VolumeClaimTemplates, o.Spec.Selector.MatchLabels})
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d workloads, want 1", overlay, len(found))
	}
	return found[0]
}

func TestOverlaysDecodeStrictly(t *testing.T) {
	for _, overlay := range overlays {
		got := objects(t, overlay)
		for _, want := range []string{"Namespace/tocsin", "ServiceAccount/tocsin", "Service/tocsin", "NetworkPolicy/tocsin", "PodDisruptionBudget/tocsin", "PodMonitoring/tocsin"} {
			if _, ok := got[want]; !ok {
				t.Errorf("%s has no %s", overlay, want)
			}
		}
		for _, r := range render(t, overlay).Resources() {
			if r.GetKind() != "Namespace" && r.GetNamespace() != "tocsin" {
				t.Errorf("%s: %s %s is in namespace %q", overlay, r.GetKind(), r.GetName(), r.GetNamespace())
			}
			if r.GetKind() == "Secret" {
				t.Errorf("%s holds a Secret: those are made by hand, and never in a file here", overlay)
			}
		}
	}
}

// TestStrictnessFinds holds that a slip in a manifest does not pass.
func TestStrictnessFinds(t *testing.T) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, slip := range []string{
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replica: 1}",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: one}",
		"apiVersion: apps/v2\nkind: Deployment\nmetadata: {name: a}",
	} {
		if _, _, err := decoder.Decode([]byte(slip), nil, nil); err == nil {
			t.Errorf("decoded without an error:\n%s", slip)
		}
	}
}

// TestPods holds each workload to what the namespace enforces and a node must be able to count on.
func TestPods(t *testing.T) {
	for _, overlay := range overlays {
		w := workloadOf(t, overlay)
		complain := func(ok bool, format string, args ...any) {
			t.Helper()
			if !ok {
				t.Errorf("%s: "+format, append([]any{overlay}, args...)...)
			}
		}
		pod := w.template.Spec
		s := pod.SecurityContext
		complain(*s.RunAsNonRoot && *s.RunAsUser == 65532 && *s.RunAsGroup == 65532 && *s.FSGroup == 65532, "runs as %v:%v", *s.RunAsUser, *s.RunAsGroup)
		complain(s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "seccomp is %v", s.SeccompProfile.Type)
		complain(!*pod.AutomountServiceAccountToken && pod.ServiceAccountName == "tocsin", "mounts a token of Kubernetes'")
		complain(!pod.HostNetwork && !pod.HostPID && !pod.HostIPC, "shares something with its node")
		complain(*pod.TerminationGracePeriodSeconds > 25, "has %d s to stop, less than the drain takes", *pod.TerminationGracePeriodSeconds)
		complain(len(pod.Containers) == 1, "has %d containers", len(pod.Containers))
		for key, value := range w.selector {
			complain(w.template.Labels[key] == value, "selects by %s=%s, which its pods do not have", key, value)
		}
		c := pod.Containers[0]
		cs := c.SecurityContext
		complain(!*cs.AllowPrivilegeEscalation && *cs.ReadOnlyRootFilesystem && slices.Equal(cs.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(cs.Capabilities.Add) == 0, "may do too much: %+v", cs)
		complain(c.Image == "ko://tocsin/cmd/tocsin", "runs %s", c.Image)
		limit, request := c.Resources.Limits.Memory().Value(), c.Resources.Requests.Memory().Value()
		complain(request > 0 && limit >= request && c.Resources.Requests.Cpu().MilliValue() > 0, "has no resources")
		var soft int64
		for _, e := range c.Env {
			if e.Name == "GOMEMLIMIT" {
				_, err := fmt.Sscanf(e.Value, "%dMiB", &soft)
				complain(err == nil, "GOMEMLIMIT is %q", e.Value)
			}
		}
		complain(soft<<20 > limit/2 && soft<<20 <= limit*9/10, "GOMEMLIMIT %d MiB is not 50 to 90 %% of the limit %d MiB", soft, limit>>20)
		for name, p := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			complain(p != nil && p.HTTPGet.Path == name && p.HTTPGet.Port.String() == "metrics", "has no probe of %s", name)
		}
		complain(slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
			return p.Name == "metrics" && slices.Contains(c.Args, fmt.Sprintf("--listen-metrics=0.0.0.0:%d", p.ContainerPort))
		}), "does not listen where it is probed: %v", c.Args)
	}
}

// TestStores holds that one file has one writer, and that several replicas are several.
func TestStores(t *testing.T) {
	one := workloadOf(t, "sqlite")
	if one.kind != "StatefulSet" || one.replicas != 1 || len(one.claims) != 1 || !slices.Equal(one.claims[0].Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}) {
		t.Errorf("sqlite: %s with %d replicas and %+v: want a StatefulSet of 1 on a ReadWriteOncePod volume", one.kind, one.replicas, one.claims)
	}
	c := one.template.Spec.Containers[0]
	if !slices.Contains(c.Args, "--store=/var/lib/tocsin/tocsin.db") || !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.MountPath == "/var/lib/tocsin" && m.Name == one.claims[0].Name
	}) {
		t.Errorf("sqlite: the database is not on the volume: %v, %+v", c.Args, c.VolumeMounts)
	}
	if one.template.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "false" {
		t.Errorf("sqlite: the autoscaler may move the only replica: %v", one.template.Annotations)
	}
	several := workloadOf(t, "postgres")
	if several.kind != "Deployment" || several.replicas < 2 || len(several.template.Spec.TopologySpreadConstraints) == 0 {
		t.Errorf("postgres: %s with %d replicas, spread by %+v", several.kind, several.replicas, several.template.Spec.TopologySpreadConstraints)
	}
	for _, overlay := range overlays {
		budget := objects(t, overlay)["PodDisruptionBudget/tocsin"].(*policyv1.PodDisruptionBudget)
		if budget.Spec.MaxUnavailable == nil || budget.Spec.MaxUnavailable.IntValue() != 1 {
			t.Errorf("%s: a drain must be able to take one pod and no more: %+v", overlay, budget.Spec)
		}
	}
}

// TestNetworkPolicies holds that nothing is let out into private networks but what is named.
func TestNetworkPolicies(t *testing.T) {
	for _, overlay := range overlays {
		p := objects(t, overlay)["NetworkPolicy/tocsin"].(*networkingv1.NetworkPolicy)
		if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress) != 1 || len(p.Spec.Ingress[0].From) == 0 || len(p.Spec.Ingress[0].Ports) != 1 {
			t.Errorf("%s: lets in %+v", overlay, p.Spec.Ingress)
		}
		for _, e := range p.Spec.Egress {
			if len(e.To) == 0 || len(e.Ports) == 0 {
				t.Errorf("%s: lets out to everywhere or every port: %+v", overlay, e)
			}
			for _, to := range e.To {
				if to.IPBlock != nil && to.IPBlock.CIDR == "0.0.0.0/0" && !slices.Contains(to.IPBlock.Except, "10.0.0.0/8") {
					t.Errorf("%s: lets out into the VPC: %+v", overlay, to.IPBlock)
				}
			}
		}
	}
}

// TestMountedConfiguration holds that what is mounted is what tocsin takes, and that what it names is mounted.
func TestMountedConfiguration(t *testing.T) {
	for _, overlay := range overlays {
		w := workloadOf(t, overlay)
		var config *corev1.ConfigMap
		for _, o := range objects(t, overlay) {
			if m, ok := o.(*corev1.ConfigMap); ok {
				config = m
			}
		}
		if config == nil {
			t.Fatalf("%s has no ConfigMap", overlay)
		}
		var sources []string
		for _, v := range w.template.Spec.Volumes {
			if v.Projected != nil {
				for _, s := range v.Projected.Sources {
					switch {
					case s.ConfigMap != nil:
						sources = append(sources, s.ConfigMap.Name)
					case s.Secret != nil:
						sources = append(sources, s.Secret.Name)
					}
				}
			}
		}
		if !slices.Equal(sources, []string{config.Name, "tocsin-secrets"}) || !strings.HasPrefix(config.Name, "tocsin-config-") {
			t.Errorf("%s mounts %v, want %s, named by its content, and tocsin-secrets", overlay, sources, config.Name)
		}
		dir := t.TempDir()
		for name, text := range config.Data {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		summary, warnings, errs := app.Check(filepath.Join(dir, "tocsin.yaml"))
		if len(errs) > 0 || len(warnings) > 0 || summary == "" {
			t.Errorf("%s: tocsin check: %v %v", overlay, errs, warnings)
		}
		for line := range strings.Lines(config.Data["tocsin.yaml"]) {
			if _, path, ok := strings.Cut(line, "_file: "); ok && !strings.HasPrefix(path, "/etc/tocsin/") {
				t.Errorf("%s: a secret is looked for at %s, and they are mounted at /etc/tocsin", overlay, strings.TrimSpace(path))
			}
		}
	}
}

// TestCommandLines holds that the binary takes the flags that the manifests give it: the help of serve names each.
func TestCommandLines(t *testing.T) {
	source, err := os.ReadFile("../cmd/tocsin/serve.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"--config": "Config ", "--store": "Store ", "--listen-metrics": "ListenMetrics ", "--log-json": `name:"log-json"`}
	for _, overlay := range overlays {
		args := workloadOf(t, overlay).template.Spec.Containers[0].Args
		if args[0] != "serve" {
			t.Errorf("%s runs tocsin %s", overlay, args[0])
		}
		for _, arg := range args[1:] {
			flag, _, _ := strings.Cut(arg, "=")
			if field, ok := known[flag]; !ok || !strings.Contains(string(source), field) {
				t.Errorf("%s: serve has no flag %s", overlay, flag)
			}
		}
	}
}
