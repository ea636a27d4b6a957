package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
)

// apply uses server-side apply with typed configurations and with plain objects.
func apply(ctx context.Context, r *run) error {
	if err := r.applyTyped(ctx); err != nil {
		return fmt.Errorf("typed: %w", err)
	}
	if err := r.applyDynamic(ctx); err != nil {
		return fmt.Errorf("dynamic: %w", err)
	}
	return nil
}

func (r *run) applyTyped(ctx context.Context) error {
	services := r.client.CoreV1().Services(r.namespace)
	const name = "apply-typed"
	wanted := applycorev1.Service(name, r.namespace).
		WithLabels(r.labels()).
		WithSpec(applycorev1.ServiceSpec().
			WithSelector(map[string]string{"run": "web"}).
			WithPorts(applycorev1.ServicePort().WithName("http").WithPort(80)))
	mine := metav1.ApplyOptions{FieldManager: "mine"}
	created, err := services.Apply(ctx, wanted, mine)
	if err != nil {
		return err
	}
	again, err := services.Apply(ctx, wanted, mine)
	if err != nil {
		return err
	}
	say("applied", "name", name, "unchanged", again.ResourceVersion == created.ResourceVersion)

	// What another manager claims with another value is refused, unless it insists.
	port := applycorev1.ServicePort().WithPort(80).WithName("http").
		WithTargetPort(intstr.FromInt32(8080))
	other := applycorev1.Service(name, r.namespace).
		WithSpec(applycorev1.ServiceSpec().
			WithSelector(map[string]string{"run": "other"}).WithPorts(port))
	_, err = services.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "theirs"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("the second manager was not refused: %v", err)
	}
	causes := err.(apierrors.APIStatus).Status().Details.Causes
	fields := make([]string, 0, len(causes))
	for _, cause := range causes {
		fields = append(fields, cause.Field)
	}
	say("conflict", "name", name, "fields", fields)
	forced, err := services.Apply(ctx, other,
		metav1.ApplyOptions{FieldManager: "theirs", Force: true})
	if err != nil {
		return err
	}
	say("forced", "name", name, "selector", forced.Spec.Selector["run"])

	// Read back what each manager owns, change one's part, and give it up again.
	owned, err := applycorev1.ExtractService(forced, "theirs")
	if err != nil {
		return err
	}
	if owned.Spec == nil || owned.Spec.Selector["run"] != "other" {
		return fmt.Errorf("theirs owns %+v", owned.Spec)
	}
	owned.Spec.Ports = append(owned.Spec.Ports,
		*applycorev1.ServicePort().WithName("tls").WithPort(443))
	more, err := services.Apply(ctx, owned, metav1.ApplyOptions{FieldManager: "theirs"})
	if err != nil {
		return err
	}
	say("extracted", "name", name, "ports", portsOf(more))
	fewer, err := services.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "theirs"})
	if err != nil {
		return err
	}
	say("given up", "name", name, "ports", portsOf(fewer))
	return r.removeService(ctx, name)
}

func (r *run) applyDynamic(ctx context.Context) error {
	resource := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	client := r.dynamic.Resource(resource).Namespace(r.namespace)
	const name = "apply-dynamic"
	configMap := func(data map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1",
			"kind":       "ConfigMap",
			"metadata":   map[string]any{"name": name, "namespace": r.namespace},
			"data":       data,
		}}
	}
	mine := metav1.ApplyOptions{FieldManager: "mine"}
	if _, err := client.Apply(ctx, name, configMap(map[string]any{"a": "1"}), mine); err != nil {
		return err
	}
	theirs := metav1.ApplyOptions{FieldManager: "theirs"}
	both, err := client.Apply(ctx, name, configMap(map[string]any{"b": "2"}), theirs)
	if err != nil {
		return err
	}
	say("applied", "name", name, "keys", len(both.Object["data"].(map[string]any)))
	rest, err := client.Apply(ctx, name, configMap(map[string]any{}), mine)
	if err != nil {
		return err
	}
	say("given up", "name", name, "data", rest.Object["data"])
	return client.Delete(ctx, name, metav1.DeleteOptions{})
}

func portsOf(service *corev1.Service) []int32 {
	ports := []int32{}
	for _, port := range service.Spec.Ports {
		ports = append(ports, port.Port)
	}
	return ports
}
