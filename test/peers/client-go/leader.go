package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const leaseName = "leader-election-lease"

// leaderElection lets two candidates compete for a Lease: one leads, and when it steps down the
// other does; then a leader that dies without a word is followed once its lease has run out.
func leaderElection(ctx context.Context, r *run) error {
	changes := make(chan string, 100)
	first, err := r.campaign(ctx, "first", true, changes)
	if err != nil {
		return err
	}
	if err := untilChange(ctx, changes, "first leads"); err != nil {
		return err
	}
	second, err := r.campaign(ctx, "second", false, changes)
	if err != nil {
		return err
	}
	if err := untilChange(ctx, changes, "second follows first"); err != nil {
		return err
	}
	first() // steps down
	if err := untilChange(ctx, changes, "second leads"); err != nil {
		return err
	}
	third, err := r.campaign(ctx, "third", true, changes)
	if err != nil {
		return err
	}
	if err := untilChange(ctx, changes, "third follows second"); err != nil {
		return err
	}
	second() // without a word
	if err := untilChange(ctx, changes, "third leads"); err != nil {
		return err
	}
	leases := r.client.CoordinationV1().Leases(r.namespace)
	lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	holder, transitions := lease.Spec.HolderIdentity, lease.Spec.LeaseTransitions
	if holder == nil || *holder != "third" || transitions == nil {
		return fmt.Errorf("the lease says: %+v", lease.Spec)
	}
	say("lease", "holder", *holder, "transitions", *transitions)
	third()
	if err := untilChange(ctx, changes, "third stopped"); err != nil {
		return err
	}
	return leases.Delete(ctx, leaseName, metav1.DeleteOptions{})
}

// campaign starts a candidate and returns what ends it.
func (r *run) campaign(
	ctx context.Context, name string, isReleasing bool, changes chan<- string,
) (context.CancelFunc, error) {
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: leaseName, Namespace: r.namespace},
			Client:     r.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		},
		// A dead leader's time is what the run waits for, and no busy machine may take so long to
		// renew.
		LeaseDuration:   4 * time.Second,
		RenewDeadline:   3 * time.Second,
		RetryPeriod:     200 * time.Millisecond,
		ReleaseOnCancel: isReleasing,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { changes <- name + " leads" },
			OnStoppedLeading: func() { changes <- name + " stopped" },
			OnNewLeader: func(leader string) {
				if leader != name {
					changes <- name + " follows " + leader
				}
			},
		},
	})
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(ctx)
	go elector.Run(own)
	return cancel, nil
}

func untilChange(ctx context.Context, changes <-chan string, wanted string) error {
	return until(ctx, changes, wanted, func(change string) bool {
		say("election", "change", change)
		return change == wanted
	})
}
