// isthmus-client-go uses an API server the way Kubernetes' own Go programs do, through the
// official client library, and says what it saw as lines of JSON. It exits with 1 when the server
// did not behave as the library needs it to.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// run is one mode's view of the server. Names that it creates begin with the mode's name.
type run struct {
	config    *rest.Config
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	namespace string
	mode      string
}

var modes = map[string]func(context.Context, *run) error{
	"informers":       informers,
	"leader-election": leaderElection,
	"follow":          follow,
	"apply":           apply,
	"pages":           pages,
	"metadata":        metadataOnly,
	"events":          countedEvents,
	"events-v1":       seriesOfEvents,
	"reviews":         reviews,
	"watch-list":      watchList,
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file with the server and the credentials")
	namespace := flag.String("namespace", "default", "where it makes its objects")
	timeout := flag.Duration("timeout", 30*time.Second, "bound of the whole run")
	contentType := flag.String("content-type", "application/json",
		"of the bodies that it sends; controllers choose application/vnd.kubernetes.protobuf")
	flag.Usage = usage
	flag.Parse()
	mode, known := modes[flag.Arg(0)]
	if !known || flag.NArg() != 1 || *kubeconfig == "" {
		usage()
		os.Exit(2)
	}
	if flag.Arg(0) == "watch-list" {
		// The library reads its switches once, so this comes before its first use.
		if err := os.Setenv("KUBE_FEATURE_WatchListClient", "true"); err != nil {
			panic(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if err := start(ctx, mode, *kubeconfig, *namespace, *contentType); err != nil {
		say("failed", "error", err.Error())
		os.Exit(1)
	}
	say("done")
}

func usage() {
	names := make([]string, 0, len(modes))
	for name := range modes {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "usage: isthmus-client-go --kubeconfig FILE [flags] %s\n",
		strings.Join(names, "|"))
	flag.PrintDefaults()
}

func start(
	ctx context.Context,
	mode func(context.Context, *run) error,
	kubeconfig, namespace, contentType string,
) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// The library's own limit of requests a second would make the program's time, not the server.
	config.QPS = -1
	// The dynamic client has its own encoding, so only the typed one takes the wish.
	typed := rest.CopyConfig(config)
	typed.ContentType = contentType
	if contentType != "application/json" {
		typed.AcceptContentTypes = contentType + ",application/json"
	}
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	return mode(ctx, &run{
		config:    typed,
		client:    client,
		dynamic:   dynamicClient,
		namespace: namespace,
		mode:      flag.Arg(0),
	})
}

// say writes one line: what happened, then its facts as names and values.
func say(what string, facts ...any) {
	line := map[string]any{"what": what}
	for at := 0; at+1 < len(facts); at += 2 {
		line[facts[at].(string)] = facts[at+1]
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

// until waits for a message that fits, or for the end of the time.
func until[T any](ctx context.Context, messages <-chan T, what string, fits func(T) bool) error {
	for {
		select {
		case message := <-messages:
			if fits(message) {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}
