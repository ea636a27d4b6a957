package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (r *run) service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: r.mode + "-" + name, Labels: r.labels()},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"run": name},
			Ports: []corev1.ServicePort{
				{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)},
			},
		},
	}
}

func (r *run) configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: r.mode + "-" + name, Labels: r.labels()},
		Data:       map[string]string{"name": name},
	}
}

// labels tell this run's objects from those that a server has by itself.
func (r *run) labels() map[string]string {
	return map[string]string{"client-go": r.mode}
}

func (r *run) selector() string {
	return "client-go=" + r.mode
}

// removeService deletes it, and frees it where a server holds it back until its work is done.
func (r *run) removeService(ctx context.Context, name string) error {
	services := r.client.CoreV1().Services(r.namespace)
	if err := services.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	free := []byte(`{"metadata":{"finalizers":null}}`)
	_, err := services.Patch(ctx, name, types.MergePatchType, free, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (r *run) removeConfigMaps(ctx context.Context) error {
	return r.client.CoreV1().ConfigMaps(r.namespace).DeleteCollection(
		ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: r.selector()})
}
