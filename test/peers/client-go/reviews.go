package main

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reviews asks the server who it takes us for and what we may.
func reviews(ctx context.Context, r *run) error {
	self, err := r.client.AuthenticationV1().SelfSubjectReviews().Create(
		ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	say("self", "user", self.Status.UserInfo.Username, "groups", self.Status.UserInfo.Groups)
	authorization := r.client.AuthorizationV1()
	access, err := authorization.SelfSubjectAccessReviews().Create(
		ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: r.namespace, Verb: "update", Resource: "services", Subresource: "status",
				},
			},
		}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	say("self access", "allowed", access.Status.Allowed, "denied", access.Status.Denied)
	other, err := authorization.SubjectAccessReviews().Create(
		ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "stranger",
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: r.namespace, Verb: "get", Resource: "secrets", Name: "s",
				},
			},
		}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	say("access of a stranger", "allowed", other.Status.Allowed)
	rules, err := authorization.SelfSubjectRulesReviews().Create(
		ctx, &authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: r.namespace},
		}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	say("rules", "incomplete", rules.Status.Incomplete, "any", len(rules.Status.ResourceRules) > 0)
	return nil
}
