"""Courses, enrolments, questions, answers; what the LMS knows of grades, credit and certificates; the mails it sent."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Course(models.Model):
    objects: models.Manager[Course]

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.title


class Enrollment(models.Model):
    objects: models.Manager[Enrollment]

    class Role(models.TextChoices):
        CANDIDATE = "candidate"
        STAFF = "staff"

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrollments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrollments")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.CANDIDATE)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("course", "user"), name="lms_enrolled_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.course}: {self.role}"


class Question(models.Model):
    objects: models.Manager[Question]

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="questions")
    content_id = models.SlugField()
    """Which exam it belongs to. The same word names the content to proctoring."""
    position = models.PositiveSmallIntegerField()
    text = models.TextField()
    choices = models.JSONField(default=list, blank=True)
    """Empty: the answer is a short text."""

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("course", "content_id", "position"), name="lms_question_position"),
        )

    def __str__(self) -> str:
        return self.text


class Answer(models.Model):
    objects: models.Manager[Answer]

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="answers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="answers")
    sitting = models.PositiveBigIntegerField()
    """The attempt with which this sitting began; a resumed attempt goes on with its answers. 0: without an attempt."""
    text = models.TextField()
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("question", "user", "sitting"), name="lms_answer_once"),)

    def __str__(self) -> str:
        return self.text


class GradeOverride(models.Model):
    """The grade of this content is zero, whatever was answered."""

    objects: models.Manager[GradeOverride]

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    content_id = models.SlugField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("course", "user", "content_id"), name="lms_override_once"),)

    def __str__(self) -> str:
        return f"{self.user}, {self.content_id}: 0"


class CreditRequirement(models.Model):
    objects: models.Manager[CreditRequirement]

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    content_id = models.SlugField()
    status = models.CharField(max_length=20)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("course", "user", "content_id"), name="lms_credit_once"),)

    def __str__(self) -> str:
        return f"{self.user}, {self.content_id}: {self.status}"


class Completion(models.Model):
    objects: models.Manager[Completion]

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    content_id = models.SlugField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("course", "user", "content_id"), name="lms_completed_once"),)

    def __str__(self) -> str:
        return f"{self.user}: {self.content_id}"


class CertificateHold(models.Model):
    """The person's certificate of this course is not valid."""

    objects: models.Manager[CertificateHold]

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("course", "user"), name="lms_hold_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.course}"


class SupportNote(models.Model):
    """A line in the inbox of the LMS's support."""

    objects: models.Manager[SupportNote]

    key = models.CharField(max_length=100, unique=True)
    """Of the call that brought it: a repeated call adds no line."""
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")
    content_id = models.SlugField()
    attempt_id = models.BigIntegerField()
    review_status = models.CharField(max_length=20)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Attempt {self.attempt_id}: {self.review_status}"


class SentMail(models.Model):
    """A mail that would have left the machine."""

    objects: models.Manager[SentMail]

    sender = models.CharField(max_length=320)
    recipients = models.TextField()
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField(blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.subject
