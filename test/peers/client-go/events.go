package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
)

// countedEvents tells the same three times with the library's older recorder, which patches the
// count of what it has told before.
func countedEvents(ctx context.Context, r *run) error {
	about, stream, err := r.eventsAbout(ctx)
	if err != nil {
		return err
	}
	defer stream.Stop()
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	sink := &typedcorev1.EventSinkImpl{Interface: r.client.CoreV1().Events(r.namespace)}
	broadcaster.StartRecordingToSink(sink)
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "client-go"})
	for range 3 {
		recorder.Event(about, corev1.EventTypeNormal, "Tried", "the old way")
	}
	err = untilEvent(ctx, stream, "count 3", func(event *corev1.Event) bool {
		return event.Reason == "Tried" && event.Count == 3
	})
	if err != nil {
		return err
	}
	found, err := r.client.CoreV1().Events(r.namespace).List(ctx, aboutOptions(about))
	if err != nil {
		return err
	}
	for _, event := range found.Items {
		// kube-apiserver's own controllers may have something to say of the Service, at times.
		if event.Source.Component != "client-go" {
			continue
		}
		say("event", "type", event.Type, "reason", event.Reason, "message", event.Message,
			"count", event.Count, "source", event.Source.Component)
	}
	return r.removeService(ctx, about.Name)
}

// seriesOfEvents tells the same twice with the newer recorder, which patches a series into it.
func seriesOfEvents(ctx context.Context, r *run) error {
	about, stream, err := r.eventsAbout(ctx)
	if err != nil {
		return err
	}
	defer stream.Stop()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: r.client.EventsV1()})
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return err
	}
	recorder := broadcaster.NewRecorder(scheme.Scheme, "client-go")
	tell := func() {
		recorder.Eventf(about, nil, corev1.EventTypeWarning, "Retried", "Retrying", "the new way")
	}
	tell()
	err = untilEvent(ctx, stream, "the new event", func(event *corev1.Event) bool {
		return event.Reason == "Retried" && event.Series == nil
	})
	if err != nil {
		return err
	}
	tell()
	err = untilEvent(ctx, stream, "its series", func(event *corev1.Event) bool {
		return event.Reason == "Retried" && event.Series != nil && event.Series.Count == 2
	})
	if err != nil {
		return err
	}
	found, err := r.client.EventsV1().Events(r.namespace).List(
		ctx, metav1.ListOptions{FieldSelector: "regarding.name=" + about.Name})
	if err != nil {
		return err
	}
	for _, event := range found.Items {
		// As above: what kube-apiserver's own controllers say has no series.
		if event.ReportingController != "client-go" {
			continue
		}
		say("event", "type", event.Type, "reason", event.Reason, "note", event.Note,
			"action", event.Action, "told", event.Series.Count, "by", event.ReportingController)
		err := r.client.EventsV1().Events(r.namespace).Delete(ctx, event.Name, metav1.DeleteOptions{})
		if err != nil {
			return err
		}
	}
	return r.removeService(ctx, about.Name)
}

// eventsAbout makes a Service, and a watch of the events about it, which begins with none.
func (r *run) eventsAbout(ctx context.Context) (*corev1.Service, watch.Interface, error) {
	core := r.client.CoreV1()
	about, err := core.Services(r.namespace).Create(ctx, r.service("about"), metav1.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	stream, err := core.Events(r.namespace).Watch(ctx, aboutOptions(about))
	return about, stream, err
}

func aboutOptions(about *corev1.Service) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(about.UID)}
}

func untilEvent(
	ctx context.Context, stream watch.Interface, what string, fits func(*corev1.Event) bool,
) error {
	return until(ctx, stream.ResultChan(), what, func(change watch.Event) bool {
		event, isEvent := change.Object.(*corev1.Event)
		return isEvent && fits(event)
	})
}

// reasonOf is the machine-readable reason of a refusal, or what else it is.
func reasonOf(err error) string {
	if err == nil {
		return "none"
	}
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		return string(reason)
	}
	return fmt.Sprint(err)
}
