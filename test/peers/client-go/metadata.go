package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
)

// metadataOnly reads and follows objects without their contents, as the garbage collector does.
func metadataOnly(ctx context.Context, r *run) error {
	client, err := metadata.NewForConfig(r.config)
	if err != nil {
		return err
	}
	resource := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	objects := client.Resource(resource).Namespace(r.namespace)
	core := r.client.CoreV1().ConfigMaps(r.namespace)
	if _, err := core.Create(ctx, r.configMap("a"), metav1.CreateOptions{}); err != nil {
		return err
	}
	read, err := objects.Get(ctx, "metadata-a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	say("got", "kind", read.Kind, "labels", read.Labels, "hasUid", read.UID != "")
	listed, err := objects.List(ctx, metav1.ListOptions{LabelSelector: r.selector()})
	if err != nil {
		return err
	}
	say("listed", "items", len(listed.Items), "hasVersion", listed.ResourceVersion != "")

	notes := make(chan seen, 1000)
	factory := metadatainformer.NewFilteredSharedInformerFactory(client, 0, r.namespace, nil)
	informer := factory.ForResource(resource).Informer()
	if _, err := informer.AddEventHandler(notifier(notes)); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, isSynced := range factory.WaitForCacheSync(ctx.Done()) {
		if !isSynced {
			return fmt.Errorf("%s did not sync", kind)
		}
	}
	hear := func(verb string) error {
		wanted := seen{verb, "PartialObjectMetadata", "metadata-a"}
		return until(ctx, notes, verb, func(note seen) bool {
			if note == wanted {
				say(note.verb, "kind", note.kind, "name", note.name)
			}
			return note == wanted
		})
	}
	if err := hear("add"); err != nil {
		return err
	}
	label := []byte(`{"metadata":{"labels":{"more":"yes"}}}`)
	patched, err := objects.Patch(ctx, "metadata-a", types.MergePatchType, label, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	say("patched", "labels", patched.Labels)
	if err := hear("update"); err != nil {
		return err
	}
	wrong := types.UID("somebody-else")
	err = objects.Delete(ctx, "metadata-a", metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &wrong},
	})
	say("refused", "reason", reasonOf(err))
	err = objects.Delete(ctx, "metadata-a", metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &read.UID},
	})
	if err != nil {
		return err
	}
	return hear("delete")
}
