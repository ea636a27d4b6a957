package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
)

// seen is one notification of an informer: `add Service informers-a`.
type seen struct{ verb, kind, name string }

// informers follows Services and ConfigMaps with a shared factory, as every controller does.
func informers(ctx context.Context, r *run) error {
	factory := kubeinformers.NewSharedInformerFactoryWithOptions(
		r.client, 0, kubeinformers.WithNamespace(r.namespace))
	services := factory.Core().V1().Services()
	configMaps := factory.Core().V1().ConfigMaps()
	notes := make(chan seen, 1000)
	for _, informer := range []cache.SharedIndexInformer{
		services.Informer(), configMaps.Informer(),
	} {
		if _, err := informer.AddEventHandler(notifier(notes)); err != nil {
			return err
		}
	}
	if err := r.createBoth(ctx, "before"); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, isSynced := range factory.WaitForCacheSync(ctx.Done()) {
		if !isSynced {
			return fmt.Errorf("%s did not sync", kind)
		}
		say("synced", "kind", kind.Elem().Name())
	}
	if err := untilSeen(ctx, notes, "add", "before"); err != nil {
		return err
	}
	if err := r.createBoth(ctx, "after"); err != nil {
		return err
	}
	if err := untilSeen(ctx, notes, "add", "after"); err != nil {
		return err
	}
	if err := r.updateBoth(ctx, "after"); err != nil {
		return err
	}
	if err := untilSeen(ctx, notes, "update", "after"); err != nil {
		return err
	}
	for _, name := range []string{"before", "after"} {
		if err := r.removeService(ctx, "informers-"+name); err != nil {
			return err
		}
	}
	if err := r.removeConfigMaps(ctx); err != nil {
		return err
	}
	if err := untilSeen(ctx, notes, "delete", "before", "after"); err != nil {
		return err
	}
	left, err := configMaps.Lister().ConfigMaps(r.namespace).List(everyOne(r.selector()))
	if err != nil || len(left) > 0 {
		return fmt.Errorf("the lister still has %d ConfigMaps: %v", len(left), err)
	}
	return nil
}

// follow tells of every ConfigMap named follow-* until it sees follow-end, through whatever
// happens to the server meanwhile.
func follow(ctx context.Context, r *run) error {
	factory := kubeinformers.NewSharedInformerFactoryWithOptions(
		r.client, 0, kubeinformers.WithNamespace(r.namespace))
	notes := make(chan seen, 1000)
	informer := factory.Core().V1().ConfigMaps().Informer()
	if _, err := informer.AddEventHandler(notifier(notes)); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return fmt.Errorf("did not sync")
	}
	say("synced")
	return until(ctx, notes, "follow-end", func(note seen) bool {
		if strings.HasPrefix(note.name, "follow-") {
			say(note.verb, "name", note.name)
		}
		return note.name == "follow-end"
	})
}

func (r *run) createBoth(ctx context.Context, name string) error {
	core := r.client.CoreV1()
	_, err := core.Services(r.namespace).Create(ctx, r.service(name), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = core.ConfigMaps(r.namespace).Create(ctx, r.configMap(name), metav1.CreateOptions{})
	return err
}

// updateBoth replaces both objects, again when another writer was faster.
func (r *run) updateBoth(ctx context.Context, name string) error {
	core := r.client.CoreV1()
	full := r.mode + "-" + name
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := core.Services(r.namespace).Get(ctx, full, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.Spec.Ports = append(found.Spec.Ports, corev1.ServicePort{Name: "tls", Port: 443})
		_, err = core.Services(r.namespace).Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := core.ConfigMaps(r.namespace).Get(ctx, full, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.Data["updated"] = "yes"
		_, err = core.ConfigMaps(r.namespace).Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
}

func notifier(notes chan<- seen) cache.ResourceEventHandlerFuncs {
	note := func(verb string, object any) {
		if gone, isGone := object.(cache.DeletedFinalStateUnknown); isGone {
			object = gone.Obj
		}
		if named, isNamed := object.(metav1.Object); isNamed {
			kind := reflect.TypeOf(object).Elem().Name()
			notes <- seen{verb, kind, named.GetName()}
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { note("add", object) },
		UpdateFunc: func(_, object any) { note("update", object) },
		DeleteFunc: func(object any) { note("delete", object) },
	}
}

// untilSeen waits until both kinds told the verb of each name.
func untilSeen(ctx context.Context, notes <-chan seen, verb string, names ...string) error {
	missing := map[seen]bool{}
	for _, name := range names {
		for _, kind := range []string{"Service", "ConfigMap"} {
			missing[seen{verb, kind, "informers-" + name}] = true
		}
	}
	err := until(ctx, notes, fmt.Sprintf("%s of %v", verb, names), func(note seen) bool {
		if missing[note] {
			say(note.verb, "kind", note.kind, "name", note.name)
		}
		delete(missing, note)
		return len(missing) == 0
	})
	if err != nil {
		return fmt.Errorf("%w: not seen: %v", err, missing)
	}
	return nil
}
