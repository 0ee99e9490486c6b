"""Drafts, pictures and personal fields of letters; tags; series"""

from alembic import op
import sqlalchemy as sa


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('pictures',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('media_type', sa.String(length=20), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_pictures'))
    )
    op.create_table('steps',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('list_id', sa.Integer(), nullable=False),
    sa.Column('after_seconds', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(length=500), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('file', sa.String(length=1000), nullable=False),
    sa.Column('pictures', sa.JSON(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['list_id'], ['mailing_lists.id'], name=op.f('fk_steps_list_id_mailing_lists'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_steps')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_steps_list_id'), 'steps', ['list_id'], unique=False)

    op.create_table('subscriber_tags',
    sa.Column('subscriber_id', sa.Integer(), nullable=False),
    sa.Column('tag', sa.String(length=60), nullable=False),
    sa.ForeignKeyConstraint(['subscriber_id'], ['subscribers.id'], name=op.f('fk_subscriber_tags_subscriber_id_subscribers'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('subscriber_id', 'tag', name=op.f('pk_subscriber_tags'))
    )
    op.create_index('ix_subscriber_tags_tag', 'subscriber_tags', ['tag'], unique=False)

    op.create_table('steps_taken',
    sa.Column('subscription_id', sa.Integer(), nullable=False),
    sa.Column('step_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['step_id'], ['steps.id'], name=op.f('fk_steps_taken_step_id_steps'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('fk_steps_taken_subscription_id_subscriptions'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('subscription_id', 'step_id', name=op.f('pk_steps_taken'))
    )
    op.add_column('campaigns', sa.Column('file', sa.String(length=1000), server_default='', nullable=False))
    op.add_column('campaigns', sa.Column('pictures', sa.JSON(), nullable=True))
    op.add_column('campaigns', sa.Column('segment', sa.String(length=1000), server_default='', nullable=False))
    op.add_column('campaigns', sa.Column('subject_b', sa.String(length=500), server_default='', nullable=False))
    op.add_column('campaigns', sa.Column('share', sa.Integer(), server_default='0', nullable=False))
    op.add_column('campaigns', sa.Column('picked', sa.String(length=1), server_default='', nullable=False))

    op.add_column('editions', sa.Column('fields', sa.JSON(), nullable=True))

    op.add_column('subscriptions', sa.Column('series_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('subscriptions', sa.Column('series_due_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_subscriptions_series_due_at', 'subscriptions', ['series_due_at'], unique=False, postgresql_where=sa.text('series_due_at IS NOT NULL'), sqlite_where=sa.text('series_due_at IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('ix_subscriptions_series_due_at', 'subscriptions', postgresql_where=sa.text('series_due_at IS NOT NULL'), sqlite_where=sa.text('series_due_at IS NOT NULL'))
    op.drop_column('subscriptions', 'series_due_at')
    op.drop_column('subscriptions', 'series_at')

    op.drop_column('editions', 'fields')

    op.drop_column('campaigns', 'picked')
    op.drop_column('campaigns', 'share')
    op.drop_column('campaigns', 'subject_b')
    op.drop_column('campaigns', 'segment')
    op.drop_column('campaigns', 'pictures')
    op.drop_column('campaigns', 'file')

    op.drop_table('steps_taken')
    op.drop_index('ix_subscriber_tags_tag', 'subscriber_tags')

    op.drop_table('subscriber_tags')
    op.drop_index(op.f('ix_steps_list_id'), 'steps')

    op.drop_table('steps')
    op.drop_table('pictures')
