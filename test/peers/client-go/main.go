package main
import _ "k8s.io/client-go/kubernetes"
import _ "k8s.io/client-go/dynamic"
import _ "k8s.io/client-go/tools/leaderelection"
import _ "k8s.io/client-go/tools/clientcmd"
func main() {}
