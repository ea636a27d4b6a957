package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	kubeinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
)

const configMapsMade = 7

// pages reads a list in pieces, by hand and with the library's pager.
func pages(ctx context.Context, r *run) error {
	if err := r.createConfigMaps(ctx); err != nil {
		return err
	}
	list := func(ctx context.Context, options metav1.ListOptions) (*corev1.ConfigMapList, error) {
		options.LabelSelector = r.selector()
		return r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, options)
	}
	names, version, next := []string{}, "", ""
	for page := 1; page == 1 || next != ""; page++ {
		found, err := list(ctx, metav1.ListOptions{Limit: 3, Continue: next})
		if err != nil {
			return err
		}
		if page > 1 && found.ResourceVersion != version {
			return fmt.Errorf("page %d is of %s, page 1 of %s", page, found.ResourceVersion, version)
		}
		version, next = found.ResourceVersion, found.Continue
		say("page", "items", len(found.Items), "last", next == "")
		for _, item := range found.Items {
			names = append(names, item.Name)
		}
		if page == 1 { // later pages show the list as it was
			late := r.configMap("late")
			core := r.client.CoreV1().ConfigMaps(r.namespace)
			if _, err := core.Create(ctx, late, metav1.CreateOptions{}); err != nil {
				return err
			}
		}
	}
	say("listed", "names", names)
	piecewise := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return list(ctx, o)
	})
	piecewise.PageSize = 2
	count := 0
	err := piecewise.EachListItem(ctx, metav1.ListOptions{}, func(runtime.Object) error {
		count++
		return nil
	})
	if err != nil {
		return err
	}
	say("paged", "items", count)
	return r.removeConfigMaps(ctx)
}

// watchList gets a list as the beginning of a watch: by hand, and with an informer that is told
// to, which newer versions of the library do by themselves.
func watchList(ctx context.Context, r *run) error {
	if err := r.createConfigMaps(ctx); err != nil {
		return err
	}
	if err := r.watchListByHand(ctx); err != nil {
		return err
	}
	if err := r.watchListInformer(ctx); err != nil {
		return err
	}
	return r.removeConfigMaps(ctx)
}

func (r *run) watchListByHand(ctx context.Context) error {
	isWanted := true
	stream, err := r.client.CoreV1().ConfigMaps(r.namespace).Watch(ctx, metav1.ListOptions{
		LabelSelector:        r.selector(),
		SendInitialEvents:    &isWanted,
		AllowWatchBookmarks:  true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		return err
	}
	defer stream.Stop()
	added := 0
	return until(ctx, stream.ResultChan(), "the end of the list", func(event watch.Event) bool {
		object, isConfigMap := event.Object.(*corev1.ConfigMap)
		if !isConfigMap {
			say("event", "type", event.Type)
			return false
		}
		if event.Type == watch.Added {
			added++
		}
		if event.Type != watch.Bookmark {
			return false
		}
		end := object.Annotations[metav1.InitialEventsAnnotationKey]
		say("bookmark", "added", added, "end", end, "hasVersion", object.ResourceVersion != "")
		return end == "true"
	})
}

func (r *run) watchListInformer(ctx context.Context) error {
	asked := &recorder{}
	config := rest.CopyConfig(r.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		asked.next = next
		return asked
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := kubeinformers.NewSharedInformerFactoryWithOptions(
		client, 0, kubeinformers.WithNamespace(r.namespace))
	lister := factory.Core().V1().ConfigMaps().Lister()
	factory.Start(ctx.Done())
	for kind, isSynced := range factory.WaitForCacheSync(ctx.Done()) {
		if !isSynced {
			return fmt.Errorf("%s did not sync", kind)
		}
	}
	found, err := lister.List(everyOne(r.selector()))
	if err != nil {
		return err
	}
	watchLists, lists := asked.counts()
	say("informer", "items", len(found), "watchLists", watchLists, "lists", lists)
	return nil
}

func (r *run) createConfigMaps(ctx context.Context) error {
	for at := range configMapsMade {
		_, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(
			ctx, r.configMap(fmt.Sprint(at)), metav1.CreateOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

// everyOne is the labels' selector of a text that is known to parse.
func everyOne(selector string) labels.Selector {
	parsed, err := labels.Parse(selector)
	if err != nil {
		panic(err)
	}
	return parsed
}

// recorder counts how an informer asked.
type recorder struct {
	next http.RoundTripper
	mu   sync.Mutex
	urls []*url.URL
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.urls = append(r.urls, request.URL)
	r.mu.Unlock()
	return r.next.RoundTrip(request)
}

func (r *recorder) counts() (watchLists, lists int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, asked := range r.urls {
		query := asked.Query()
		switch {
		case query.Get("sendInitialEvents") == "true":
			watchLists++
		case query.Get("watch") == "":
			lists++
		}
	}
	return watchLists, lists
}
